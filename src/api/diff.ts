/** Two artifacts, compared part by part. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface DiffOptions {
  readonly a: string;
  readonly b: string;
}

export async function diff(_session: Session, _options: DiffOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`diff` is not in this version yet");
}
