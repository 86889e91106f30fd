/** The stage graph, and what would run; writes nothing. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface PlanOptions {
  readonly images: readonly string[];
  readonly graph?: "mermaid" | "dot";
  /** Exit 10 when something would run. */
  readonly detailedExitCode: boolean;
}

export async function plan(_session: Session, _options: PlanOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`plan` is not in this version yet");
}
