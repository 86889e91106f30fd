/** Watches, rebuilds, reboots. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface DevOptions {
  readonly image?: string;
}

export async function dev(_session: Session, _options: DevOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`dev` is not in this version yet");
}
