/** Boots an image in a virtual machine. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface BootOptions {
  readonly image?: string;
  /** Program and arguments to run in the guest; its exit code is passed on. */
  readonly command: readonly string[];
  /** Bytes. */
  readonly memory?: number;
  readonly cpus?: number;
  /** Sizes or paths. */
  readonly disks: readonly string[];
  readonly network?: "none" | "user";
  readonly firmware?: "uefi" | "direct" | "microvm";
  /** The console goes here rather than to the terminal. */
  readonly serialFile?: string;
  /** PNG of the screen, once it is ready. */
  readonly screenshot?: string;
  /** End once the machine is ready. */
  readonly wait: boolean;
  /** Milliseconds to become ready. */
  readonly timeout?: number;
}

export async function boot(_session: Session, _options: BootOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`boot` is not in this version yet");
}
