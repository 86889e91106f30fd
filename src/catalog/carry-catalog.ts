/**
 * Carries a catalog in one tar, across a gap that no network crosses: its signed indexes first, then its bundles. What comes out is
 * checked as if it came from anywhere: signature, digests, sizes, and that it follows from what is there. The bundles go
 * first, the indexes behind them, `current` last; broken off, the import is done again and goes on.
 */
import fs from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DigestCounter } from "../base/digest.ts";
import { BootwrightError, ioError } from "../base/errors.ts";
import { ensureDir, removeQuietly, temporaryName } from "../base/fs.ts";
import type { Place, ReadablePlace } from "../base/place.ts";
import type { MinisignKey } from "../formats/minisign.ts";
import { readTar, type TarMember } from "../formats/tar-reader.ts";
import { encodeTarEnd, encodeTarHeader } from "../formats/tar-writer.ts";
import {
  bundlePath,
  type CatalogEntry,
  type CatalogIndex,
  CURRENT,
  indexDigest,
  indexPath,
  MAX_INDEX,
  openIndex,
} from "./catalog-index.ts";
import { missingBundles } from "./missing-bundles.ts";
import { findCatalog, type OpenedCatalog, readIndex } from "./open-catalog.ts";
import type { SeenSerials } from "./seen.ts";

export interface CarryOptions {
  readonly keys: readonly MinisignKey[];
  readonly seen: SeenSerials;
  readonly signal: AbortSignal;
}

/** `bundleFile`: a bundle's bytes, verified, as a local file. */
export async function exportCatalog(
  source: ReadablePlace,
  {
    catalog,
    file,
    bundleFile,
    signal,
  }: { catalog: OpenedCatalog; file: string; bundleFile: (entry: CatalogEntry) => string; signal: AbortSignal },
): Promise<void> {
  const indexes: Buffer[] = [];
  for (let serial = catalog.index.serial; serial > 0; serial--) {
    const bytes = await source.read(indexPath(serial), { maxSize: MAX_INDEX, signal });
    if (bytes === undefined) break; // A catalog that came here without its beginning.
    indexes.unshift(bytes);
  }
  const first = catalog.index.serial - indexes.length + 1;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const [i, bytes] of indexes.entries()) {
      yield header(indexPath(first + i), bytes.length);
      yield bytes;
      yield padding(bytes.length);
    }
    for (const entry of distinct(catalog.index.bundles)) {
      signal.throwIfAborted();
      yield header(bundlePath(entry.sha256), entry.size);
      yield* fs.createReadStream(bundleFile(entry), { highWaterMark: 1024 * 1024 });
      yield padding(entry.size);
    }
    yield encodeTarEnd();
  }
  const temporary = temporaryName(file);
  try {
    ensureDir(path.dirname(file));
    await pipeline(Readable.from(chunks()), fs.createWriteStream(temporary, { flush: true }), { signal });
    fs.renameSync(temporary, file);
  } catch (error) {
    signal.throwIfAborted();
    throw ioError("write", file, error);
  } finally {
    removeQuietly(temporary);
  }
}

export interface ImportedCatalog {
  readonly index: CatalogIndex;
  /** That serial was there already: nothing was done. */
  readonly known: boolean;
  /** Serial that was there before; 0 for none. */
  readonly before: number;
}

/** `scratch`: a directory for bundles on their way. Throws SIGNATURE_INVALID, DIGEST_MISMATCH, CATALOG_ROLLBACK, EXISTS, FORMAT_INVALID. */
export async function importCatalog(
  target: Place,
  { file, scratch, dryRun, ...options }: CarryOptions & { file: string; scratch: string; dryRun: boolean },
): Promise<ImportedCatalog> {
  const there = await findCatalog(target, options);
  const before = there?.index.serial ?? 0;
  const indexes = new Map<number, Buffer>();
  let newest: CatalogIndex | undefined;
  let known = false;
  const brought = new Set<string>();
  for await (const member of readTar(fs.createReadStream(file, { highWaterMark: 1024 * 1024 }), { origin: file })) {
    options.signal.throwIfAborted();
    const serial = Number(/^index\/([1-9]\d{0,14})$/.exec(member.path)?.[1] ?? 0);
    const sha256 = BUNDLE.exec(member.path)?.[1];
    if (member.type === "file" && serial > 0 && newest === undefined)
      indexes.set(serial, await readSmall(member, file));
    else if (member.type === "file" && sha256 !== undefined) {
      newest ??= checkIndexes(indexes, { file, there, target, ...options });
      known = before === newest.serial;
      if (known || dryRun) break;
      await bring(target, { member, entry: entryFor(newest, sha256, file), scratch, ...options });
      brought.add(sha256);
    } else throw new BootwrightError("FORMAT_INVALID", `${file}: ${member.path || "."} is no part of a catalog`);
  }
  newest ??= checkIndexes(indexes, { file, there, target, ...options });
  known = before === newest.serial;
  if (dryRun) return { index: newest, known, before };
  if (known) {
    await bringMissing(target, { file, index: newest, scratch, ...options });
    return { index: newest, known, before };
  }
  for (const entry of distinct(newest.bundles))
    if (!brought.has(entry.sha256) && (await target.stat(bundlePath(entry.sha256)))?.size !== entry.size)
      throw new BootwrightError("FORMAT_INVALID", `${file} lacks the bundle ${entry.name} ${entry.version}`);
  const serials = [...indexes.keys()].filter((serial) => serial > before).sort((a, b) => a - b);
  for (const serial of serials) {
    if (await target.create(indexPath(serial), indexes.get(serial)!)) continue;
    const other = await readIndex(target, { serial, ...options });
    if (other?.digest !== indexDigest(indexes.get(serial)!)) throw apart(target, { serial, file });
  }
  await target.replace(CURRENT, Buffer.from(`${newest.serial}\n`));
  options.seen.remember(newest.serial, { address: target.address, keys: options.keys });
  await bringMissing(target, { file, index: newest, scratch, ...options });
  return { index: newest, known: false, before };
}

const BUNDLE = /^bundles\/([0-9a-f]{64})\.tar\.zst$/;

/** A sweeper may have taken a bundle for left over just before `current` led to it. */
async function bringMissing(
  target: Place,
  { file, index, ...options }: CarryOptions & { file: string; index: CatalogIndex; scratch: string },
): Promise<void> {
  const missing = await missingBundles(target, distinct(index.bundles));
  if (missing.length === 0) return;
  for await (const member of readTar(fs.createReadStream(file, { highWaterMark: 1024 * 1024 }), { origin: file })) {
    const entry = missing.find(({ sha256 }) => sha256 === BUNDLE.exec(member.path)?.[1]);
    if (entry !== undefined) await bring(target, { member, entry, ...options });
  }
}

/** The newest index, signed; the older ones are those that it follows from. */
function checkIndexes(
  indexes: ReadonlyMap<number, Buffer>,
  { file, keys, there, target, seen }: CarryOptions & { file: string; there: OpenedCatalog | undefined; target: Place },
): CatalogIndex {
  const serials = [...indexes.keys()].sort((a, b) => b - a);
  const [last] = serials;
  if (last === undefined) throw new BootwrightError("FORMAT_INVALID", `${file} holds no catalog`);
  const newest = openIndex(indexes.get(last)!, { keys, what: `${file}: ${indexPath(last)}` });
  if (newest.serial !== last)
    throw new BootwrightError("FORMAT_INVALID", `${file}: ${indexPath(last)} says that its serial is ${newest.serial}`);
  const before = there?.index.serial ?? 0;
  if (last < before) throw seen.rollback(last, { address: target.address, keys });
  let previous = newest.previous;
  for (let serial = last - 1; serial > 0 && indexes.has(serial); serial--) {
    const bytes = indexes.get(serial)!;
    if (indexDigest(bytes) !== previous)
      throw new BootwrightError("FORMAT_INVALID", `${file}: ${indexPath(serial + 1)} does not follow from ${serial}`);
    if (serial === before) break;
    previous = openIndex(bytes, { keys, what: `${file}: ${indexPath(serial)}` }).previous;
  }
  if (there === undefined) return newest;
  const same = indexes.get(before);
  if (same === undefined || indexDigest(same) !== there.digest) throw apart(target, { serial: before, file });
  return newest;
}

const apart = (target: Place, { serial, file }: { serial: number; file: string }): BootwrightError =>
  new BootwrightError("EXISTS", `${target.address} and ${file} have gone apart: each has its own index ${serial}`, {
    hint: "publish on one side of the gap only, and import on the other; or import into another place",
  });

function entryFor({ bundles }: CatalogIndex, sha256: string, file: string): CatalogEntry {
  const found = bundles.find((one) => one.sha256 === sha256);
  if (found !== undefined) return found;
  throw new BootwrightError("FORMAT_INVALID", `${file}: no index names the bundle sha256:${sha256}`);
}

/** To a file first: nothing unchecked gets a name at the target. */
async function bring(
  target: Place,
  { member, entry, scratch }: CarryOptions & { member: TarMember; entry: CatalogEntry; scratch: string },
): Promise<void> {
  const local = temporaryName(path.join(scratch, "bundle"));
  try {
    ensureDir(scratch);
    const counter = new DigestCounter();
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of member.content()) {
        counter.update(chunk);
        yield chunk;
      }
    }
    await pipeline(Readable.from(counted()), fs.createWriteStream(local));
    const { hash, size } = counter.digest();
    if (hash !== entry.sha256 || size !== entry.size)
      throw new BootwrightError(
        "DIGEST_MISMATCH",
        `bundle ${entry.name} ${entry.version}: got sha256:${hash} (${size} bytes), want sha256:${entry.sha256} (${entry.size} bytes)`,
      );
    await target.putFile(bundlePath(entry.sha256), { local, size });
  } catch (error) {
    throw ioError("write", local, error);
  } finally {
    removeQuietly(local);
  }
}

async function readSmall(member: TarMember, file: string): Promise<Buffer> {
  if (member.size > MAX_INDEX)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `${file}: ${member.path} has ${member.size} bytes; at most ${MAX_INDEX} fit`,
    );
  const chunks: Uint8Array[] = [];
  for await (const chunk of member.content()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const distinct = (bundles: readonly CatalogEntry[]): readonly CatalogEntry[] => [
  ...new Map(bundles.map((entry) => [entry.sha256, entry])).values(),
];

const header = (name: string, size: number): Buffer =>
  encodeTarHeader({
    ...{ type: "file", path: name, mode: 0o644, uid: 0, gid: 0 },
    content: { hash: "", size },
  });

const padding = (size: number): Buffer => Buffer.alloc((512 - (size % 512)) % 512);
