/**
 * V8 compiles hot code anew while it runs, on other threads. Where a command is over in a moment that is work for nothing:
 * it was a sixth of the processor time of a build with nothing to do.
 */
import { setFlagsFromString } from "node:v8";

const COMPILERS = ["maglev", "turbofan"];

/** For work of some milliseconds: what it calls is not optimized meanwhile. */
export function unoptimized<T>(body: () => T): T {
  stopOptimizing();
  try {
    return body();
  } finally {
    for (const name of COMPILERS) setFlagsFromString(`--${name}`);
  }
}

/** No further compilation starts; those that run go on. */
export function stopOptimizing(): void {
  for (const name of COMPILERS) setFlagsFromString(`--no-${name}`);
}
