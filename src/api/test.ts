/** Runs boot tests. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface TestOptions {
  readonly files: readonly string[];
  /** Regular expression of test names. */
  readonly grep?: string;
  readonly retries: number;
  /** Write new expected screenshots. */
  readonly update: boolean;
  readonly reporter?: "junit" | "json";
}

export async function test(_session: Session, _options: TestOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`test` is not in this version yet");
}
