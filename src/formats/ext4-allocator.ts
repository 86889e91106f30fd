/**
 * Gives out the blocks of a volume in rising order, each once, around the fixed structures. So the blocks in use are all
 * below one number, and no bitmap is kept while planning.
 */
import type { Ext4Layout, Run } from "./ext4-layout.ts";

export class BlockAllocator {
  readonly #reserved: readonly Run[];
  #next = 0;
  #cursor = 0;
  #used = 0;

  constructor(layout: Ext4Layout) {
    this.#reserved = layout.reserved;
  }

  /** All below is in use; so is what the layout reserves above. */
  get end(): number {
    return this.#cursor;
  }

  /** Blocks given out. May pass what the volume has: the caller compares. */
  get used(): number {
    return this.#used;
  }

  take(count: number): readonly Run[] {
    if (count === 0) return NONE;
    this.#used += count;
    const runs: Run[] = [];
    for (let left = count; left > 0; ) {
      const ahead = this.#reserved[this.#next];
      if (ahead !== undefined && ahead.start <= this.#cursor) {
        this.#cursor = Math.max(this.#cursor, ahead.start + ahead.count);
        this.#next++;
        continue;
      }
      const room = ahead === undefined ? left : ahead.start - this.#cursor;
      const part = Math.min(left, room);
      runs.push({ start: this.#cursor, count: part });
      this.#cursor += part;
      left -= part;
    }
    return runs;
  }
}

const NONE: readonly Run[] = [];
