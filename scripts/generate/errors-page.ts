/** docs/reference/errors.md, from the registry of codes. */
import { ERROR_CODES, type ErrorCodeInfo, EXIT, type ExitClass } from "../../src/base/error-codes.ts";

const MEANINGS: Readonly<Record<ExitClass, string>> = {
  usage: "command line or config",
  unsupported: "unsupported combination",
  host: "the host lacks a program or a permission",
  network: "network or registry",
  disk: "disk",
  verification: "verification failed",
  program: "a stage's program failed",
  guest: "the guest did not boot or become ready",
  different: "differences found",
  interrupted: "interrupted",
};

export function errorsPage(): string {
  const parts = [
    "# Error codes\n\nMade from `src/base/error-codes.ts` by `npm run generate`; do not edit. Codes are stable, and so are exit codes.\n" +
      "`bootwright explain CODE` prints the same in the terminal. Exit code 0 is success, 1 a mistake in Bootwright itself.\n",
  ];
  for (const exit of Object.keys(MEANINGS) as ExitClass[]) {
    const codes = (Object.entries(ERROR_CODES) as [string, ErrorCodeInfo][]).filter(([, info]) => info.exit === exit);
    if (codes.length === 0) continue;
    parts.push(`## Exit ${EXIT[exit]}: ${MEANINGS[exit]}\n`);
    for (const [code, { title, help }] of codes) parts.push(`### ${code}\n\n${title}. ${help}\n`);
  }
  return parts.join("\n");
}
