/** An 80×24 terminal without colour that remembers what it was sent. */
import type { Clock } from "../base/clock.ts";
import type { Screen } from "./screen.ts";

export interface FakeScreen extends Screen {
  readonly sent: () => { stdout: string; stderr: string };
}

export function fakeScreen(
  options: { isTTY?: boolean; columns?: number; rows?: number; colors?: boolean } = {},
): FakeScreen {
  let stdout = "";
  let stderr = "";
  return {
    isTTY: options.isTTY ?? false,
    stdoutIsTTY: options.isTTY ?? false,
    columns: () => options.columns ?? 80,
    rows: () => options.rows ?? 24,
    colors: options.colors ?? false,
    stdout: {
      write: (text) => {
        stdout += text;
      },
    },
    stderr: {
      write: (text) => {
        stderr += text;
      },
    },
    sent: () => ({ stdout, stderr }),
  };
}

export interface FakeClock extends Clock {
  readonly pass: (ms: number) => void;
}

export function fakeClock(): FakeClock {
  let time = 0;
  const pass = (ms: number): void => {
    time += ms;
  };
  return { now: () => time, elapsed: () => time, sleep: async (ms) => pass(ms), pass };
}

/** What the terminal shows after the text: handles only the cursor codes that our reporter sends. */
export function shownLines(text: string): readonly string[] {
  const lines: string[] = [""];
  let row = 0;
  for (const part of text.split(/(\u001b\[\d*[AJ]|\u001b\[\?25[lh]|\n)/)) {
    const up = /^\u001b\[(\d+)A$/.exec(part);
    if (part === "\n") {
      row++;
      lines[row] ??= "";
    } else if (up !== null) row -= Number(up[1]);
    else if (part === "\u001b[J") lines.splice(row, lines.length, "");
    else if (!part.startsWith("\u001b")) lines[row] += part;
  }
  return lines.slice(0, -1);
}
