/**
 * Last acts: what must not outlive this process (a scratch directory, a machine) registers here. They run on the
 * process's `exit` event, so they are synchronous, and a kill -9 skips them: each has a second line of defence.
 */
const acts = new Set<() => void>();
let listening = false;

/** Runs `act` when the process exits. Returns the way to take it back. */
export function onProcessExit(act: () => void): () => void {
  if (!listening) {
    listening = true;
    process.on("exit", () => {
      for (const each of acts) each();
    });
  }
  acts.add(act);
  return () => acts.delete(act);
}
