/**
 * A new file, written room by room. One with much in it goes past the page cache (O_DIRECT in open(2)): fresh pages for a GB cost up to
 * a second of processor time, on virtual machines above all, and push out what others have there. Where the disk would have to be waited for,
 * or the file system does not do it, the page cache takes the rest. See docs/decisions/0035-past-the-page-cache.md.
 */
import fs from "node:fs";
import { alignUp } from "../base/bytes.ts";
import { systemClock } from "../base/clock.ts";
import { systemCode } from "../base/errors.ts";

/** Bytes that are read and written at once: enough for a disk to be busy with while the next are read. */
export const ROOM = 4 * 1024 * 1024;
/** Memory, offsets and lengths are multiples of it: of each sector and of most file systems' blocks. */
const BLOCK = 4096;
/** Bytes. With less in it, no file is worth waiting for the disk. */
const LEAST_DIRECT = 256 * 1024 * 1024;
/** Bytes in a millisecond. A slower disk is given its time: the page cache takes what is written much faster. */
const LEAST_SPEED = 400_000;
/** Bytes before the disk's speed is judged. */
const TRIAL = 64 * 1024 * 1024;

export interface LargeFileOptions {
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes that will be written; the others are zero. */
  readonly written: number;
}

export class LargeFile implements Disposable {
  /** What is written must lie in it. */
  readonly room: Buffer;
  readonly #name: string;
  readonly #size: number;
  #fd: number;
  #direct: boolean;
  /** Bytes that went past the page cache, and the milliseconds that they took. */
  #bytes = 0;
  #ms = 0;

  /** Read-only for all, whatever the umask is. Throws when there is one of that name. */
  constructor(name: string, { size, written }: LargeFileOptions) {
    const room = written < LEAST_DIRECT ? undefined : alignedRoom();
    this.room = room ?? Buffer.allocUnsafeSlow(ROOM);
    this.#name = name;
    this.#size = size;
    this.#fd = fs.openSync(name, "wx", 0o644);
    this.#direct = false;
    fs.ftruncateSync(this.#fd, size);
    if (room !== undefined) this.#tryDirect();
  }

  /** Bytes of the room that begins at `at` in the file; `from` is a multiple of 4 KiB. What is behind the file's end is lost. */
  write(at: number, { from, to }: { readonly from: number; readonly to: number }): void {
    const end = this.#direct ? alignUp(to, BLOCK) : to;
    this.room.fill(0, to, end);
    const began = systemClock.elapsed();
    for (let done = from; done < end; )
      try {
        done += fs.writeSync(this.#fd, this.room, done, end - done, at + done);
      } catch (error) {
        if (!this.#direct || systemCode(error) !== "EINVAL") throw error;
        this.#leaveDirect(); // A file system that wants other multiples.
      }
    if (!this.#direct) return;
    this.#bytes += end - from;
    this.#ms += systemClock.elapsed() - began;
    if (this.#bytes >= TRIAL && this.#bytes < this.#ms * LEAST_SPEED) this.#leaveDirect();
  }

  [Symbol.dispose](): void {
    try {
      fs.ftruncateSync(this.#fd, this.#size);
      fs.fchmodSync(this.#fd, 0o444);
    } finally {
      fs.closeSync(this.#fd);
    }
  }

  #tryDirect(): void {
    const { O_WRONLY, O_DIRECT } = fs.constants;
    if (O_DIRECT === undefined) return;
    try {
      this.#reopen(O_WRONLY | O_DIRECT);
      this.#direct = true;
    } catch {} // A file system without it.
  }

  #leaveDirect(): void {
    this.#reopen(fs.constants.O_WRONLY);
    this.#direct = false;
  }

  #reopen(flags: number): void {
    const fd = fs.openSync(this.#name, flags);
    fs.closeSync(this.#fd);
    this.#fd = fd;
  }
}

declare const WebAssembly: { readonly Memory: new (pages: { initial: number }) => { readonly buffer: ArrayBuffer } };

/** Only a WebAssembly memory begins where a page of memory does. Undefined where there is no room for one. */
function alignedRoom(): Buffer | undefined {
  try {
    return Buffer.from(new WebAssembly.Memory({ initial: ROOM / 65_536 }).buffer);
  } catch {
    return undefined;
  }
}
