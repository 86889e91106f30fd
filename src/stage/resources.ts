/** Counts what running stages take (processors, connections, memory) and lets the next one in when it fits. First come, first served. */
import type { Weight } from "./stage.ts";

export type Capacity = Required<Weight>;

export class Resources {
  readonly #capacity: Capacity;
  readonly #used: { -readonly [K in keyof Capacity]: number } = { cpu: 0, network: 0, memory: 0 };
  readonly #waiting: { weight: Capacity; enter: () => void }[] = [];

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  /** Resolves when there is room; call the returned function to leave. A weight over the capacity runs alone. */
  async acquire(wanted: Weight, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const weight: Capacity = {
      cpu: Math.min(wanted.cpu ?? 1, this.#capacity.cpu),
      network: Math.min(wanted.network ?? 0, this.#capacity.network),
      memory: Math.min(wanted.memory ?? 0, this.#capacity.memory),
    };
    if (this.#waiting.length > 0 || !this.#fits(weight)) {
      await new Promise<void>((resolve, reject) => {
        const entry = { weight, enter: resolve };
        this.#waiting.push(entry);
        signal.addEventListener(
          "abort",
          () => {
            const at = this.#waiting.indexOf(entry);
            if (at < 0) return;
            this.#waiting.splice(at, 1);
            reject(signal.reason);
            this.#admit(); // It may have held up lighter ones.
          },
          { once: true },
        );
      });
    } else this.#add(weight, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#add(weight, -1);
      this.#admit();
    };
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.weight); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#add(next.weight, 1);
      next.enter();
    }
  }

  #fits(weight: Capacity): boolean {
    return (["cpu", "network", "memory"] as const).every(
      (name) => this.#used[name] + weight[name] <= this.#capacity[name],
    );
  }

  #add(weight: Capacity, sign: 1 | -1): void {
    for (const name of ["cpu", "network", "memory"] as const) this.#used[name] += sign * weight[name];
  }
}
