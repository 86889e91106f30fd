/** Pins sources anew, and says what changed. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface UpdateOptions {
  /** Default: all. */
  readonly names: readonly string[];
  readonly dryRun: boolean;
}

export async function update(_session: Session, _options: UpdateOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`update` is not in this version yet");
}
