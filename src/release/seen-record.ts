/**
 * How far this user has seen each record. It lies beside the user's data, not in the store: without it, a record whose end
 * was cut off, in the place and in git, would look like one that never went further.
 */
import path from "node:path";
import { digestOf } from "../base/digest.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import type { ChainedEntry } from "./entry.ts";

interface SeenEntry {
  readonly serial: number;
  readonly digest: string;
  /** How far git was seen; 0 for never. */
  readonly git: number;
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
      const note = JSON.parse(readIfExists(this.file)?.toString("utf8") ?? "{}") as Partial<SeenEntry>;
      const { serial, digest, git } = note;
      if (Number.isSafeInteger(serial) && typeof digest === "string")
        return { serial: serial!, digest, git: Number.isSafeInteger(git) ? git! : 0 };
    } catch {}
    return undefined;
  }

  remember({ serial, digest }: Pick<ChainedEntry, "serial" | "digest">): void {
    const known = this.newest();
    if (serial > (known?.serial ?? 0)) this.#write({ serial, digest, git: known?.git ?? 0 });
  }

  /** `serial`: of the last entry that git has. */
  rememberGit(serial: number): void {
    const known = this.newest();
    if (known !== undefined && serial > known.git) this.#write({ ...known, git: serial });
  }

  #write(seen: SeenEntry): void {
    writeFileAtomic(this.file, `${JSON.stringify({ address: this.#address, ...seen })}\n`, { sync: true });
  }
}
