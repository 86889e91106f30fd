/** One stage at a time makes the result of a key; others of the same key, here or in another process, wait for it. A dead maker's turn passes on. */
import { systemClock } from "../base/clock.ts";
import { isAlive, processIdentity } from "../store/lease.ts";
import type { Store } from "../store/store.ts";

export interface Turn {
  end(): void;
}

const POLL_MS = 50;

export async function awaitTurn(
  store: Store,
  key: string,
  signal: AbortSignal,
  onWait: (pid: number) => void,
): Promise<Turn> {
  const me = processIdentity();
  let told = false;
  for (;;) {
    signal.throwIfAborted();
    const other = store.db.transaction(() => {
      const row = store.db.get<{ pid: number; boot: string; build: string }>(
        "SELECT pid, boot, build FROM turns WHERE key = ?",
        key,
      );
      if (row !== undefined && isAlive(row)) return row;
      store.db.run(
        "INSERT OR REPLACE INTO turns (key, build, pid, boot) VALUES (?, ?, ?, ?)",
        key,
        store.buildId,
        me.pid,
        me.boot,
      );
      return undefined;
    });
    if (other === undefined) return { end: () => endTurn(store, key) };
    if (!told && other.build !== store.buildId) onWait(other.pid);
    told = true;
    await systemClock.sleep(POLL_MS, signal);
  }
}

/** A turn that could not be ended (the disk is full) ends with its process: it must not hide why the stage failed. */
function endTurn(store: Store, key: string): void {
  try {
    store.db.run("DELETE FROM turns WHERE key = ? AND build = ?", key, store.buildId);
  } catch {}
}
