/**
 * V8 compiles hot code anew while it runs, on other threads. Where a command is over in a moment that is work for nothing:
 * it was up to a sixth of the processor time of a build with nothing to do. What is set here is how often a function runs before
 * it counts as hot: switching the compilers off and on again instead would crash where they were off (`node --jitless`).
 */
import { setFlagsFromString } from "node:v8";

/** V8's flags, with its defaults (src/flags/flag-definitions.h of V8 13.6). */
const CALLS_UNTIL_HOT = {
  "invocation-count-for-maglev": 400,
  "invocation-count-for-maglev-osr": 100,
  "invocation-count-for-turbofan": 3000,
  "invocation-count-for-osr": 500,
};
/** More often than a command of a moment calls anything. V8 multiplies it with a function's length, in 32 bits. */
const LATE = 20_000;

/** For work of some milliseconds: what it calls is not optimized meanwhile. */
export function unoptimized<T>(body: () => T): T {
  setCallsUntilHot((): number => LATE);
  try {
    return body();
  } finally {
    setCallsUntilHot((usual) => usual);
  }
}

function setCallsUntilHot(choose: (usual: number) => number): void {
  for (const [flag, usual] of Object.entries(CALLS_UNTIL_HOT)) setFlagsFromString(`--${flag}=${choose(usual)}`);
}

/** No further compilation starts; those that run go on. For the end: nothing makes it start again. */
export function stopOptimizing(): void {
  for (const name of ["maglev", "turbofan"]) setFlagsFromString(`--no-${name}`);
}
