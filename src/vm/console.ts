/** The serial console: what the guest wrote, waiting for a text in it, typing into it. */
import { StringDecoder } from "node:string_decoder";
import { BootwrightError } from "../base/errors.ts";
import { lastLines, stripAnsi } from "./ansi.ts";
import { waitUntil } from "./wait-until.ts";

export interface WaitOptions {
  /** Milliseconds; default 60 000. */
  readonly timeout?: number;
  /** Only text written from now on counts. Default false: what is there already counts too. */
  readonly fresh?: boolean;
}

// A guest may write for ever: the newest part is kept.
const KEPT = 4 * 1024 * 1024;

export class Console {
  #raw = "";
  /** Characters dropped from the front of `#raw`. */
  #dropped = 0;
  #ended: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #decoder = new StringDecoder("utf8");
  readonly #watchers = new Set<() => void>();
  readonly #listeners = new Set<(text: string) => void>();
  readonly #write: (bytes: Buffer) => void;

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** Everything that the guest wrote (the last 4 Mi characters), without terminal escapes. */
  get text(): string {
    return stripAnsi(this.#raw);
  }

  /** As it was written: untrusted, with terminal escapes. For a terminal emulator, never for a terminal. */
  get raw(): string {
    return this.#raw;
  }

  /** A place in the stream, for `since`. */
  get position(): number {
    return this.#dropped + this.#raw.length;
  }

  /** What was written after `position`, without escapes. */
  since(position: number): string {
    return stripAnsi(this.#raw.slice(Math.max(0, position - this.#dropped)));
  }

  lastLines(count = 20): string {
    return lastLines(this.#raw.slice(-64 * 1024), count);
  }

  write(text: string | Buffer): void {
    if (this.#ended === undefined) this.#write(typeof text === "string" ? Buffer.from(text) : text);
  }

  /** Calls back with raw text as it comes; returns the way to stop that. */
  onText(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves with the match once the console holds `pattern`. Throws GUEST_TIMEOUT with the last console lines, or the
   * machine's end.
   */
  async waitFor(pattern: string | RegExp, options: WaitOptions = {}): Promise<RegExpExecArray> {
    const from = options.fresh === true ? this.position : 0;
    const regex = typeof pattern === "string" ? literal(pattern) : withoutState(pattern);
    const timeout = options.timeout ?? 60_000;
    return waitUntil({
      find: () => regex.exec(this.since(from)) ?? undefined,
      ended: () => this.#ended,
      watchers: this.#watchers,
      timeout,
      late: () =>
        new BootwrightError("GUEST_TIMEOUT", `the console did not show ${String(pattern)} within ${timeout / 1000} s`, {
          detail: this.lastLines(),
        }),
    });
  }

  /** For the machine behind it: bytes from the guest. */
  receive(bytes: Buffer): void {
    const text = this.#decoder.write(bytes);
    this.#raw += text;
    if (this.#raw.length > KEPT * 2) {
      this.#dropped += this.#raw.length - KEPT;
      this.#raw = this.#raw.slice(-KEPT);
    }
    for (const listener of this.#listeners) listener(text);
    this.#checkSoon();
  }

  /** Serial text comes in pieces of a few bytes; looking through the whole log for each would take quadratic time. */
  #checkSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const check of this.#watchers) check();
    }, 5);
  }

  /** For the machine behind it: nothing more will come, and why. */
  end(why: Error): void {
    this.#ended ??= why;
    for (const check of this.#watchers) check();
  }
}

/** Node 24 has `RegExp.escape`; the types do not yet. */
const literal = (text: string): RegExp => new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));

/** A global or sticky pattern remembers where it stopped, which would skip text. */
const withoutState = (pattern: RegExp): RegExp => new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
