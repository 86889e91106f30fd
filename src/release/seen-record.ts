/**
 * How far this user has seen each record. It lies beside the user's data, not in the store: without it, a record whose end
 * was cut off, in the place and in git, would look like one that never went further.
 */
import path from "node:path";
import { digestOf } from "../base/digest.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import type { ChainedEntry } from "./entry.ts";

export interface SeenEntry {
  readonly serial: number;
  readonly digest: string;
}

export class SeenRecord {
  readonly file: string;
  readonly #address: string;

  /** `dataDir`: the user's. */
  constructor(dataDir: string, address: string) {
    this.#address = address;
    this.file = path.join(dataDir, "records", `${digestOf(address).hash.slice(0, 32)}.json`);
  }

  /** Undefined when nothing was seen. A damaged note forbids nothing; the next one replaces it. */
  newest(): SeenEntry | undefined {
    try {
      const { serial, digest } = JSON.parse(readIfExists(this.file)?.toString("utf8") ?? "{}") as Partial<SeenEntry>;
      if (Number.isSafeInteger(serial) && typeof digest === "string") return { serial: serial!, digest };
    } catch {}
    return undefined;
  }

  remember({ serial, digest }: Pick<ChainedEntry, "serial" | "digest">): void {
    if (serial <= (this.newest()?.serial ?? 0)) return;
    writeFileAtomic(this.file, `${JSON.stringify({ address: this.#address, serial, digest })}\n`, { sync: true });
  }
}
