/**
 * The newest serial that this user has seen of each catalog. It lies beside the user's data, not in the store: a store may
 * be deleted at any time, and then an old index would be as good as a new one.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { keyName, type MinisignKey } from "../formats/minisign.ts";

export class SeenSerials {
  readonly #dir: string;

  /** `dataDir`: the user's. */
  constructor(dataDir: string) {
    this.#dir = path.join(dataDir, "catalogs");
  }

  /** -1 when none was seen. */
  newest(catalog: KnownCatalog): number {
    return newestOf(readIfExists(this.#file(catalog))?.toString("utf8"));
  }

  remember(serial: number, catalog: KnownCatalog): void {
    if (serial <= this.newest(catalog)) return;
    const { address } = catalog;
    writeFileAtomic(this.#file(catalog), `${JSON.stringify({ address, serial })}\n`, { sync: true });
  }

  rollback(serial: number, catalog: KnownCatalog): BootwrightError {
    return new BootwrightError(
      "CATALOG_ROLLBACK",
      `${catalog.address}: its newest index has serial ${serial}, and ${this.newest(catalog)} was seen before`,
      { hint: `ask who runs the catalog; if it was really begun anew, remove ${this.#file(catalog)}` },
    );
  }

  #file({ address, keys }: KnownCatalog): string {
    return path.join(this.#dir, `${catalogId(address, keys)}.json`);
  }
}

export interface KnownCatalog {
  readonly address: string;
  readonly keys: readonly MinisignKey[];
}

/** A catalog with other keys is another catalog, also at the same address. */
const catalogId = (address: string, keys: readonly MinisignKey[]): string =>
  createHash("sha256")
    .update([address, ...keys.map(({ id }) => keyName(id)).sort()].join("\n"))
    .digest("hex")
    .slice(0, 32);

function newestOf(text: string | undefined): number {
  try {
    const { serial } = JSON.parse(text ?? "{}") as { serial?: unknown };
    return Number.isSafeInteger(serial) ? (serial as number) : -1;
  } catch {
    return -1; // A damaged note forbids nothing; the next one replaces it.
  }
}
