import type { BuildEvent } from "../base/events.ts";

/** Turns events into text. `close` leaves the terminal as it was, also after an error. */
export interface Reporter {
  readonly event: (event: BuildEvent) => void;
  readonly close: () => void;
}

export const PROGRESS_KINDS = ["auto", "tty", "plain", "json", "quiet"] as const;

export type ProgressKind = (typeof PROGRESS_KINDS)[number];
