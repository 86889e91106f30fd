/** Reads a catalog: its newest index, signed by a trusted key and no older than any seen before. */
import { BootwrightError } from "../base/errors.ts";
import type { Arch } from "../base/json-shape.ts";
import type { ReadablePlace } from "../base/place.ts";
import type { MinisignKey } from "../formats/minisign.ts";
import {
  type CatalogEntry,
  type CatalogIndex,
  CURRENT,
  indexDigest,
  indexPath,
  MAX_INDEX,
  openIndex,
} from "./catalog-index.ts";
import type { SeenSerials } from "./seen.ts";
import { compareVersions } from "./version-order.ts";

export interface OpenCatalogOptions {
  readonly keys: readonly MinisignKey[];
  readonly seen: SeenSerials;
  readonly signal: AbortSignal;
}

export interface OpenedCatalog {
  readonly index: CatalogIndex;
  /** SHA-256 of the index's file. */
  readonly digest: string;
}

/** Throws CATALOG_MISSING, SIGNATURE_INVALID, CATALOG_ROLLBACK, FORMAT_INVALID, and what the source throws. */
export async function openCatalog(source: ReadablePlace, options: OpenCatalogOptions): Promise<OpenedCatalog> {
  const found = await findCatalog(source, options);
  if (found !== undefined) return found;
  throw new BootwrightError("CATALOG_MISSING", `${source.address} holds no catalog: there is no file "${CURRENT}"`, {
    hint: "check the address; a catalog is made by its first `bootwright kernel publish`",
  });
}

/** Undefined when there is none yet. */
export async function findCatalog(
  source: ReadablePlace,
  { keys, seen, signal }: OpenCatalogOptions,
): Promise<OpenedCatalog | undefined> {
  const known = { address: source.address, keys };
  const current = await readCurrent(source, signal);
  const newest = seen.newest(known);
  if (current === undefined && newest < 0) return undefined;
  // `current` may lag behind for a moment while two publish. What was seen before is still there, or something is wrong.
  const serial = Math.max(current ?? 0, newest);
  const catalog = await readIndex(source, { serial, keys, signal });
  if (catalog === undefined) {
    if (serial !== current) throw seen.rollback(current ?? 0, known);
    throw new BootwrightError(
      "FORMAT_INVALID",
      `${source.address}: "${CURRENT}" names index ${serial}, which is not there`,
    );
  }
  seen.remember(serial, known);
  return catalog;
}

/** The index that `current` names, and the newest: behind it are those whose publisher died before it had written down their serial. */
export async function findNewest(
  source: ReadablePlace,
  options: OpenCatalogOptions,
): Promise<{ readonly current: OpenedCatalog | undefined; readonly newest: OpenedCatalog | undefined }> {
  const current = await findCatalog(source, options);
  let newest = current;
  for (;;) {
    const serial: number = (newest?.index.serial ?? 0) + 1;
    const next = await readIndex(source, { serial, ...options });
    if (next === undefined) return { current, newest };
    if (next.index.previous !== (newest?.digest ?? ""))
      throw new BootwrightError(
        "FORMAT_INVALID",
        `${source.address}/${indexPath(serial)} does not follow from index ${serial - 1}`,
      );
    newest = next;
  }
}

/** One index by its serial, checked; undefined when it is not there. */
export async function readIndex(
  source: ReadablePlace,
  { serial, keys, signal }: { serial: number; keys: readonly MinisignKey[]; signal: AbortSignal },
): Promise<OpenedCatalog | undefined> {
  const file = await source.read(indexPath(serial), { maxSize: MAX_INDEX, signal });
  if (file === undefined) return undefined;
  const what = `${source.address}/${indexPath(serial)}`;
  const index = openIndex(file, { keys, what });
  if (index.serial !== serial)
    throw new BootwrightError("FORMAT_INVALID", `${what}: says that its serial is ${index.serial}`);
  return { index, digest: indexDigest(file) };
}

async function readCurrent(source: ReadablePlace, signal: AbortSignal): Promise<number | undefined> {
  const text = (await source.read(CURRENT, { maxSize: 64, signal }))?.toString("latin1");
  if (text === undefined) return undefined;
  if (!/^\d{1,15}\n?$/.test(text))
    throw new BootwrightError("FORMAT_INVALID", `${source.address}/${CURRENT}: not a serial`);
  return Number(text);
}

export interface BundleWish {
  readonly name: string;
  /** Default: the newest. */
  readonly version?: string | undefined;
  readonly arch: Arch;
}

/** The newest version that fits. Throws NAME_UNKNOWN, or ARCH_MISMATCH when there are only others. */
export function findBundle({ index }: OpenedCatalog, { name, version, arch }: BundleWish): CatalogEntry {
  const named = index.bundles.filter((one) => one.name === name);
  if (named.length === 0) {
    const names = [...new Set(index.bundles.map((one) => one.name))].sort();
    throw new BootwrightError("NAME_UNKNOWN", `catalog ${index.name} has no bundle ${name}`, {
      hint: names.length === 0 ? "it is empty" : `it has: ${names.join(", ")}`,
    });
  }
  const fitting = named.filter((one) => one.arch === arch);
  if (fitting.length === 0)
    throw new BootwrightError("ARCH_MISMATCH", `catalog ${index.name} has no ${name} for ${arch}`, {
      hint: `it has it for ${[...new Set(named.map((one) => one.arch))].sort().join(", ")}`,
    });
  const sorted = [...fitting].sort((a, b) => compareVersions(b.version, a.version));
  const found = version === undefined ? sorted[0] : sorted.find((one) => one.version === version);
  if (found !== undefined) return found;
  throw new BootwrightError("NAME_UNKNOWN", `catalog ${index.name} has no ${name} ${version} for ${arch}`, {
    hint: `it has: ${sorted.map((one) => one.version).join(", ")}`,
  });
}
