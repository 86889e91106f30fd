/** Notices changes of files and directories (inotify by way of fs.watch), also those that come while nobody waits. */
import fs from "node:fs";
import path from "node:path";
import { systemClock } from "./clock.ts";

/** Names of editors' and our own temporary files. */
const TEMPORARY = /(^|\/)(\.tmp-|\.#|4913$)|(~|\.swp|\.swx)$/;

export class Watcher {
  readonly #settleMs: number;
  readonly #places = new Map<string, fs.FSWatcher | undefined>();
  readonly #changed = new Set<string>();
  #wake: () => void = () => {};

  /** `settleMs`: silence after a change before it counts; an editor writes more than once. */
  constructor({ settleMs }: { settleMs: number }) {
    this.#settleMs = settleMs;
  }

  /** Watches these absolute paths from now on, and no others. What does not exist is passed over. */
  update(paths: readonly string[]): void {
    const wanted = new Set(paths);
    for (const [place, watcher] of this.#places) {
      if (wanted.has(place)) continue;
      watcher?.close();
      this.#places.delete(place);
    }
    for (const place of wanted) if (!this.#places.get(place)) this.#places.set(place, this.#watch(place));
  }

  /** The paths that changed since the last call. Rejects with the signal's reason. */
  async next(signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    if (this.#changed.size === 0) {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    }
    for (let size = -1; size !== this.#changed.size; ) {
      size = this.#changed.size;
      await systemClock.sleep(this.#settleMs, signal);
    }
    const changed = [...this.#changed].sort();
    this.#changed.clear();
    return changed;
  }

  close(): void {
    this.update([]);
  }

  /** A file is watched through its directory, since editors replace files. */
  #watch(place: string): fs.FSWatcher | undefined {
    const directory = fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
    const root = directory ? place : path.dirname(place);
    if (!fs.existsSync(root)) return undefined;
    const watcher = fs.watch(root, { recursive: directory }, (_event, name) => {
      if (name === null || TEMPORARY.test(name)) return;
      const file = path.join(root, name);
      if (!directory && file !== place) return;
      this.#changed.add(file);
      this.#wake();
    });
    watcher.on("error", () => {}); // The directory went away: the next round looks anew.
    return watcher;
  }
}
