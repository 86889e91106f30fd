/** A reporter for vitest: writes down that there was an error outside of every test, which its JSON report does not tell. */
import fs from "node:fs";

/** Names the file. */
export const OUTSIDE_ERRORS = "BOOTWRIGHT_OUTSIDE_ERRORS";

export default class OutsideErrors {
  onTestRunEnd(_modules: unknown, errors: readonly unknown[]): void {
    const file = process.env[OUTSIDE_ERRORS];
    if (errors.length > 0 && file !== undefined) fs.writeFileSync(file, String(errors.length));
  }
}
