/** What an artifact holds. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface InspectOptions {
  readonly ref: string;
}

export async function inspect(_session: Session, _options: InspectOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`inspect` is not in this version yet");
}
