/** The first Ctrl-C ends work in order; the second kills every process that we started and leaves at once. */

import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { killAll } from "../base/process.ts";

export interface Interruption {
  readonly signal: AbortSignal;
  /** The exit code of the signal that came, if one did. */
  readonly exit: () => number | undefined;
}

const EXITS = { SIGINT: EXIT.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;

export function listenForInterrupts(leave: (exit: number) => void): Interruption {
  const controller = new AbortController();
  let exit: number | undefined;
  for (const name of Object.keys(EXITS) as (keyof typeof EXITS)[])
    process.on(name, () => {
      if (exit !== undefined) {
        killAll();
        leave(EXITS[name]);
      }
      exit = EXITS[name];
      controller.abort(new BootwrightError("INTERRUPTED", "interrupted; once more to end at once"));
    });
  return { signal: controller.signal, exit: () => exit };
}
