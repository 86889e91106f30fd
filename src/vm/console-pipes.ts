/**
 * The serial port's way out of QEMU: two named pipes. A kernel waits some 10 ms for room in its serial port, then drops
 * what it has to say. A pipe keeps 64 KiB (pipe(7)) for a reader that is busy; a unix socket only some hundred of the
 * writes of one byte that a serial port makes.
 */
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import path from "node:path";
import { ioError } from "../base/errors.ts";
import { run } from "../base/process.ts";

/** What QEMU's `-chardev pipe` is given: it opens this path with `.in` and `.out` behind it. */
export const consolePath = (scratch: string): string => path.join(scratch, "console");

export interface ConsolePipes {
  /** What the guest writes; ends when QEMU does. */
  readonly output: Socket;
  readonly input: Socket;
}

/** Throws PROGRAM_FAILED or HOST_TOOL_MISSING. */
export async function makeConsolePipes(scratch: string): Promise<void> {
  await run(["mkfifo", "-m", "600", `${consolePath(scratch)}.in`, `${consolePath(scratch)}.out`]);
}

/** QEMU has opened both pipes by now: one without a writer would look ended. Throws an I/O error. */
export function openConsolePipes(scratch: string): ConsolePipes {
  const output = open(`${consolePath(scratch)}.out`, constants.O_RDONLY);
  const input = open(`${consolePath(scratch)}.in`, constants.O_WRONLY);
  return {
    output: new Socket({ fd: output, readable: true, writable: false }),
    input: new Socket({ fd: input, readable: false, writable: true }).on("error", () => {}), // QEMU died: its exit tells.
  };
}

function open(file: string, mode: number): number {
  try {
    return openSync(file, mode | constants.O_NONBLOCK);
  } catch (error) {
    throw ioError("open", file, error);
  }
}
