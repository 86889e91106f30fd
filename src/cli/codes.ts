import { ERROR_CODES, type ErrorCode, EXIT } from "../base/error-codes.ts";

/** A page about an error code. */
export function codeText(code: ErrorCode): string {
  const { title, help, exit } = ERROR_CODES[code];
  return `${code}: ${title}\n\n${help}\n\nExit code ${EXIT[exit]} (${exit}).\n`;
}
