/** The sentences that several reporters share. */
import type { BuildEvent } from "../base/events.ts";
import { shellQuote } from "../base/process.ts";
import { formatDuration, formatSize } from "../base/size.ts";

type StageProgress = Extract<BuildEvent, { type: "stage.progress" }>;

/** "18.4 MiB / 31.2 MiB", "214 / 800 files". */
export function progressText({ done, total, unit, what }: StageProgress): string {
  if (done === 0 && total === undefined && what !== undefined) return what;
  const amount = (value: number) => (unit === "bytes" ? formatSize(value) : String(value));
  const count = total === undefined ? amount(done) : `${amount(done)} / ${amount(total)}`;
  return [what, unit === "files" ? `${count} files` : count].filter((part) => part !== undefined).join(" ");
}

/** One line for events that stand alone; undefined for those that belong to a stage or are only shown with --debug. */
export function standaloneText(event: BuildEvent, debug: boolean): string | undefined {
  switch (event.type) {
    case "note":
      return event.text;
    case "warning":
      return `warning: ${event.text}`;
    case "retry":
      return `${event.what}: attempt ${event.attempt} failed (${event.reason}), again in ${formatDuration(event.waitMs)}`;
    case "machine.start":
      return `${event.machine}: starts with ${event.accelerator} (${event.why})`;
    case "machine.phase":
      return `${event.machine}: ${event.phase} after ${formatDuration(event.ms)}`;
    case "test.done":
      return `${TEST_MARKS[event.status]} ${event.file}: ${event.test} (${formatDuration(event.ms)})${event.message ? `\n${event.message}` : ""}`;
    case "process.start":
      return debug ? `process ${event.pid}: ${shellQuote(event.argv)}` : undefined;
    case "process.end":
      return debug
        ? `process ${event.pid}: ended with ${event.exit ?? event.signal} after ${formatDuration(event.ms)}`
        : undefined;
    default:
      return undefined;
  }
}

const TEST_MARKS = { passed: "✓", failed: "✗", skipped: "·" } as const;

/** Guest output without cursor codes, for files and logs. */
export const plainConsole = (text: string): string =>
  text
    .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g, "")
    .replace(/\r(?=\n)/g, "")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "");
