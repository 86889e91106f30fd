/** The store: list, verify, collect garbage. */
import { BootwrightError } from "../base/errors.ts";
import type { Report, Session } from "./session.ts";

export interface StoreOptions {
  readonly action: "ls" | "verify" | "gc";
  /** Bytes that gc leaves. */
  readonly keep?: number;
  readonly dryRun: boolean;
}

export async function store(_session: Session, _options: StoreOptions): Promise<Report> {
  throw new BootwrightError("UNSUPPORTED", "`store` is not in this version yet");
}
