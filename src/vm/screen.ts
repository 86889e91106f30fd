/** The machine's screen. A picture is taken when the screen is still: such pictures are bit-identical between boots. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { removeQuietly } from "../base/fs.ts";
import { decodePpm, encodePng } from "./picture.ts";
import type { Qmp } from "./qmp.ts";

export interface StillOptions {
  /** Milliseconds; default 10 000. */
  readonly timeout?: number;
  /** Milliseconds between the two equal pictures; default 150. */
  readonly gap?: number;
}

export interface Screen {
  /** The screen now, as PNG. Throws UNSUPPORTED when the machine has none (microvm). */
  png(): Promise<Buffer>;
  /** Waits until two pictures in a row are equal. Throws GUEST_TIMEOUT when it never is (a blinking cursor, a clock). */
  still(options?: StillOptions): Promise<Buffer>;
}

export function screenOf(qmp: Qmp, options: { scratch: string; present: boolean; clock?: Clock }): Screen {
  const clock = options.clock ?? systemClock;
  const [major = 0, minor = 0] = qmp.version;
  const writesPng = major > 7 || (major === 7 && minor >= 1); // screendump's `format` came with 7.1.
  let counter = 0;

  async function png(): Promise<Buffer> {
    if (!options.present)
      throw new BootwrightError("UNSUPPORTED", "this machine has no screen", { hint: "use machine type q35 or UEFI" });
    const file = path.join(options.scratch, `screen-${counter++}`);
    try {
      await qmp.command("screendump", { filename: file, ...(writesPng ? { format: "png" } : {}) });
      const bytes = readFileSync(file);
      return writesPng ? bytes : encodePng(decodePpm(bytes));
    } finally {
      removeQuietly(file);
    }
  }

  async function still({ timeout = 10_000, gap = 150 }: StillOptions = {}): Promise<Buffer> {
    const end = clock.elapsed() + timeout;
    let last = await png();
    while (clock.elapsed() < end) {
      await clock.sleep(gap);
      const next = await png();
      if (next.equals(last)) return next;
      last = next;
    }
    throw new BootwrightError("GUEST_TIMEOUT", `the screen was not still within ${timeout / 1000} s`, {
      hint: "a blinking text cursor moves for ever: vt.global_cursor_default=0 on the kernel's command line stops it",
    });
  }

  return { png, still };
}
