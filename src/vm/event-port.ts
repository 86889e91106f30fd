/**
 * The guest's events: one JSON object a line on the virtio-serial port `org.bootwright.events`, each with a string
 * `event`. A channel of its own, so that kernel messages never split a line. Lines that are no such object are counted
 * and otherwise ignored: the guest is not trusted.
 */
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { waitUntil } from "./wait-until.ts";

export interface GuestEvent {
  readonly event: string;
  readonly [key: string]: Json;
}

/** The newest events that are kept. */
const KEPT = 10_000;

export class EventPort {
  readonly #events: GuestEvent[] = [];
  readonly #listeners = new Set<(event: GuestEvent) => void>();
  readonly #watchers = new Set<() => void>();
  #ended: Error | undefined;
  #ignored = 0;

  get all(): readonly GuestEvent[] {
    return this.#events;
  }

  /** Lines that were no event. */
  get ignored(): number {
    return this.#ignored;
  }

  onEvent(listener: (event: GuestEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves with the first event of that name (one that came already counts) that `where` accepts. Throws GUEST_TIMEOUT
   * or the machine's end.
   */
  async waitFor(
    name: string,
    options: { readonly timeout?: number; readonly where?: (event: GuestEvent) => boolean } = {},
  ): Promise<GuestEvent> {
    const timeout = options.timeout ?? 60_000;
    return waitUntil({
      find: () => this.#events.find((event) => event.event === name && (options.where?.(event) ?? true)),
      ended: () => this.#ended,
      watchers: this.#watchers,
      timeout,
      late: () => {
        const seen = [...new Set(this.#events.map((event) => event.event))].join(", ");
        return new BootwrightError("GUEST_TIMEOUT", `the guest sent no event "${name}" within ${timeout / 1000} s`, {
          hint: seen === "" ? "it sent no event at all" : `it sent: ${seen}`,
        });
      },
    });
  }

  /** For the machine behind it: one line from the port. */
  receive(line: string): void {
    const event = parseEvent(line);
    if (event === undefined) {
      if (line.trim() !== "") this.#ignored++;
      return;
    }
    this.#events.push(event);
    if (this.#events.length > KEPT) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
    for (const check of this.#watchers) check();
  }

  end(why: Error): void {
    this.#ended ??= why;
    for (const check of this.#watchers) check();
  }
}

function parseEvent(line: string): GuestEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return "event" in value && typeof value.event === "string" ? (value as GuestEvent) : undefined;
  } catch {
    return undefined;
  }
}
