/** Checks this machine, and installs what is missing. */
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import type { Report } from "./session.ts";

export interface DoctorOptions {
  readonly fix: boolean;
  /** What the machine is to be used for. */
  readonly for: "build" | "boot" | "test";
  readonly emit: Emit;
}

export async function doctor(_options: DoctorOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`doctor` is not in this version yet");
}
