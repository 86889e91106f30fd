/** Builds images into `out/`. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface BuildOptions {
  /** Default: the only image, or all. */
  readonly images: readonly string[];
  /** Directory or file to link the result to; default: out/. */
  readonly output?: string;
}

export async function build(_session: Session, _options: BuildOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`build` is not in this version yet");
}
