/**
 * User errors have a code (`BootwrightError`); programmer errors stay plain `Error` and show a stack. What reaches the
 * message may come from a guest, a server or an archive, so control characters are taken out here, at the base.
 */
import { ERROR_CODES, type ErrorCode, EXIT } from "./error-codes.ts";

export interface ErrorLocation {
  readonly file: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based, in UTF-16 code units. */
  readonly column?: number;
  /** Length of the marked text; 1 when unknown. */
  readonly length?: number;
  /** The file's text, when the reporter should draw a frame. */
  readonly source?: string;
  /** Said below the frame: why the place is only near ("computed value"). */
  readonly note?: string;
}

export interface ErrorDetails {
  readonly hint?: string;
  readonly location?: ErrorLocation;
  /** Multi-line text shown as it is below the message: the last console lines, a program's stderr. */
  readonly detail?: string;
  readonly cause?: unknown;
  /** Further mistakes of the same kind, each with its own place (all config mistakes at once). */
  readonly issues?: readonly ErrorIssue[];
}

export interface ErrorIssue {
  readonly message: string;
  readonly location?: ErrorLocation;
  readonly hint?: string;
}

export class BootwrightError extends Error {
  override readonly name = "BootwrightError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly location: ErrorLocation | undefined;
  readonly detail: string | undefined;
  readonly issues: readonly ErrorIssue[];

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(printable(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.location = details.location;
    this.detail = details.detail === undefined ? undefined : printable(details.detail);
    this.issues = details.issues ?? [];
  }

  get exit(): number {
    return EXIT[ERROR_CODES[this.code].exit];
  }
}

export const isBootwrightError = (error: unknown): error is BootwrightError => error instanceof BootwrightError;

export const hasCode = (error: unknown, code: ErrorCode): boolean => isBootwrightError(error) && error.code === code;

/** The system's own code (`ENOENT`), when the error has one. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const SPACE_HINT = "free space on that disk, or shrink the store: `bootwright store gc --keep 5G`";

/** Makes a system error into one with a code: full disk, no permission, or plain I/O. Coded errors pass unchanged. */
export function ioError(operation: string, path: string, error: unknown): BootwrightError {
  if (isBootwrightError(error)) return error;
  const code = systemCode(error);
  const reason = messageOf(error);
  if (code === "ENOSPC" || code === "EDQUOT")
    return new BootwrightError("DISK_FULL", `cannot ${operation} ${path}: no space left`, {
      hint: SPACE_HINT,
      cause: error,
    });
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new BootwrightError(
      "ACCESS_DENIED",
      `cannot ${operation} ${path}: ${code === "EROFS" ? "read-only file system" : "permission denied"}`,
      { cause: error },
    );
  return new BootwrightError("IO", `cannot ${operation} ${path}: ${reason}`, { cause: error });
}

/** Control characters (except newline and tab) as visible escapes: text from outside must not steer the terminal. */
export const printable = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
