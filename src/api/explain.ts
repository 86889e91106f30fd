/** Why a stage ran, from reasons recorded when it was decided. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface ExplainOptions {
  /** A stage or an artifact. */
  readonly subject: string;
}

export async function explain(_session: Session, _options: ExplainOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`explain` is not in this version yet");
}
