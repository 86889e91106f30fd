/**
 * For a person at a terminal: finished stages scroll up and stay; below them a window shows what runs and what waits.
 * Each draw is one write that first erases the last window, at most ten a second.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import { shortDigest } from "../base/digest.ts";
import type { BuildEvent } from "../base/events.ts";
import { formatDuration, formatSize } from "../base/size.ts";
import { progressText, standaloneText } from "./describe.ts";
import type { Reporter } from "./reporter.ts";
import { cut, paint, type Screen, type Style } from "./screen.ts";

const FRAME_MS = 100;
const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";

interface Running {
  readonly began: number;
  detail: string;
}

/** Columns for a stage's name, before it is known how long names are. */
const MIN_NAME = 20;

export function ttyReporter(screen: Screen, options: { debug: boolean }, clock: Clock = systemClock): Reporter {
  const running = new Map<string, Running>();
  const waiting = new Map<string, readonly string[]>();
  const finished: string[] = [];
  let windowLines = 0;
  let nameWidth = MIN_NAME;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;

  const erase = (): string => (windowLines === 0 ? "" : `\u001b[${windowLines}A\u001b[J`);

  const draw = (): void => {
    const began = windowLines === 0;
    const lines = windowText();
    const text =
      erase() +
      finished
        .splice(0)
        .map((line) => `${line}\n`)
        .join("") +
      lines.map((line) => `${line}\n`).join("");
    windowLines = lines.length;
    drawnAt = clock.elapsed();
    frame++;
    if (text !== "")
      screen.stderr.write(
        (began && lines.length > 0 ? HIDE_CURSOR : "") + text + (lines.length === 0 && !began ? SHOW_CURSOR : ""),
      );
  };

  const windowText = (): string[] => {
    const columns = screen.columns();
    const now = clock.elapsed();
    const spinner = SPINNER[frame % SPINNER.length]!;
    const rows = [...running].map(([stage, { began, detail }]) =>
      row({ mark: spinner, style: "cyan", stage, detail, end: formatDuration(now - began), columns }),
    );
    for (const [stage, on] of waiting)
      rows.push(row({ mark: "·", style: "dim", stage, detail: `waits for ${on.join(", ")}`, end: "", columns }));
    // One line stays free for the cursor; a taller window could not be erased.
    const room = Math.max(1, screen.rows() - 2);
    return rows.length <= room
      ? rows
      : [...rows.slice(0, room - 1), cut(`  and ${rows.length - room + 1} more`, columns)];
  };

  const row = (cells: {
    mark: string;
    style: Style;
    stage: string;
    detail: string;
    end: string;
    columns: number;
  }): string => {
    const { mark, style, stage, detail, end, columns } = cells;
    const left = `${cut(stage, nameWidth).padEnd(nameWidth)} ${detail}`;
    const room = columns - 3 - (end === "" ? 0 : end.length + 2);
    return `${paint(screen, style, mark)} ${end === "" ? cut(left, room).trimEnd() : `${cut(left, room).padEnd(room)}  ${paint(screen, "dim", end)}`}`;
  };

  const finish = (cells: { mark: string; style: Style; stage: string; detail: string; end: string }) => {
    running.delete(cells.stage);
    waiting.delete(cells.stage);
    finished.push(row({ ...cells, columns: Math.min(screen.columns(), 100) }));
  };

  const update = (event: BuildEvent): void => {
    switch (event.type) {
      case "build.start": {
        // What is beside the name (size, digest, time) takes about 50 columns.
        const longest = Math.max(...(event.names ?? []).map((name) => name.length), MIN_NAME);
        nameWidth = Math.max(MIN_NAME, Math.min(longest, screen.columns() - 50));
        return;
      }
      case "stage.waiting":
        waiting.set(event.stage, event.on);
        return;
      case "stage.start":
        waiting.delete(event.stage);
        running.set(event.stage, { began: clock.elapsed(), detail: event.reason });
        return;
      case "stage.progress": {
        const state = running.get(event.stage);
        if (state !== undefined) state.detail = progressText(event);
        return;
      }
      case "stage.output": {
        const state = running.get(event.stage);
        if (options.debug) finished.push(`${event.stage} | ${event.line}`);
        else if (state !== undefined) state.detail = event.line;
        return;
      }
      case "stage.done":
        finish({
          mark: "✓",
          style: "green",
          stage: event.stage,
          detail: `${formatSize(event.bytes)}  ${shortDigest(event.digest)}`,
          end: formatDuration(event.ms),
        });
        return;
      case "stage.cached":
        finish({
          mark: "✓",
          style: "green",
          stage: event.stage,
          detail: `${formatSize(event.bytes)}  ${shortDigest(event.digest)}`,
          end: "cached",
        });
        return;
      case "stage.failed":
        finish({
          mark: "✗",
          style: "red",
          stage: event.stage,
          detail: event.message,
          end: formatDuration(event.ms),
        });
        return;
      default: {
        const text = standaloneText(event, options.debug);
        if (text !== undefined) finished.push(text);
      }
    }
  };

  const clear = (): void => {
    if (timer !== undefined) clearInterval(timer);
    timer = undefined;
    waiting.clear();
    running.clear();
    draw();
  };

  return {
    event: (event) => {
      if (event.type === "machine.console") {
        if (windowLines > 0 || finished.length > 0) clear();
        screen.stdout.write(event.text);
        return;
      }
      update(event);
      if (clock.elapsed() - drawnAt >= FRAME_MS) draw();
      if (timer === undefined && (running.size > 0 || finished.length > 0)) {
        timer = setInterval(tick, FRAME_MS);
        timer.unref(); // Drawing must not keep the process alive.
      }
    },
    close: clear,
  };

  function tick(): void {
    draw();
    if (running.size === 0 && waiting.size === 0 && timer !== undefined) {
      clearInterval(timer);
      timer = undefined;
    }
  }
}
