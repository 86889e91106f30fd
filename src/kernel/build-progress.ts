/** kbuild's output → how far a build is, and how many warnings it gave. */
import type { LineWatcher } from "../stage/command.ts";

/** "  CC [M]  drivers/net/foo.o": what compiles, not what links or generates. */
const COMPILED = /^ {2}(?:CC|AS)(?: \[M\])? +\S+\.o$/;
const WARNING = /(?:^|: )warning: /i;

/** `kernel` is said in the note at the end. */
export const buildProgress =
  (kernel: string): LineWatcher =>
  ({ progress, emit }) => {
    let done = 0;
    let total: number | undefined;
    let warnings = 0;
    return {
      line(line) {
        const step = /^bootwright: (.+)$/.exec(line)?.[1];
        const counted = step === undefined ? undefined : /^objects (\d+)$/.exec(step);
        if (counted) total = Number(counted[1]);
        else if (step !== undefined)
          progress(done, { ...(total && { total: Math.max(total, done) }), unit: "files", what: step });
        else if (COMPILED.test(line)) {
          done++;
          // A dry run cannot see what a build generates first, so there may be a little more to do than it said.
          progress(done, { ...(total && { total: Math.max(total, done) }), unit: "files", what: "compiling" });
        } else if (WARNING.test(line)) warnings++;
      },
      end() {
        if (warnings > 0)
          emit({ type: "note", text: `${kernel}: the compiler gave ${warnings} warning${warnings === 1 ? "" : "s"}` });
      },
    };
  };
