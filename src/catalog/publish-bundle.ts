/**
 * Adds bundles to a catalog. The bundle's file goes first, under its digest; then the next index is made, which only one
 * publisher can (the loser goes on from the winner's); then the bundle is looked for once more, for a sweeper may have taken it for left
 * over; last the newest serial is written down. Killed anywhere, readers
 * see the old catalog or the new one; an index whose serial was not written down yet is picked up by the next publisher.
 */
import type { KeyObject } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import type { Place } from "../base/place.ts";
import type { MinisignKey } from "../formats/minisign.ts";
import { bundlePath, type CatalogEntry, type CatalogIndex, CURRENT, indexPath, signIndex } from "./catalog-index.ts";
import type { BundleIdentity, BundleManifest } from "./manifest.ts";
import { describeBundle } from "./manifest.ts";
import { missingBundles } from "./missing-bundles.ts";
import { findNewest, type OpenedCatalog, readIndex } from "./open-catalog.ts";
import type { SeenSerials } from "./seen.ts";

export interface NewBundle {
  readonly manifest: BundleManifest;
  /** The bundle's file. */
  readonly local: string;
  readonly size: number;
  readonly sha256: string;
}

export interface PublishOptions {
  /** The catalog's name, for one that is made now. */
  readonly name: string;
  readonly secret: KeyObject;
  readonly keys: readonly MinisignKey[];
  readonly seen: SeenSerials;
  /** ISO 8601, UTC. */
  readonly now: string;
  readonly signal: AbortSignal;
  /** Say what would be done. */
  readonly dryRun: boolean;
}

export interface Published {
  readonly bundle: BundleIdentity;
  /** Already there with the same bytes: nothing was done. */
  readonly known: boolean;
}

/** How often another publisher may be first. */
const ATTEMPTS = 20;

/** Throws EXISTS when a version is there with other bytes, and what reading throws. */
export async function publishBundles(
  target: Place,
  { bundles, ...options }: PublishOptions & { readonly bundles: readonly NewBundle[] },
): Promise<readonly Published[]> {
  for (let attempt = 1; ; attempt++) {
    const before = await newestCatalog(target, options);
    const fresh = bundles.filter((bundle) => !isKnown(before?.index, bundle));
    const published = bundles.map((bundle) => ({ bundle: bundle.manifest, known: !fresh.includes(bundle) }));
    if (options.dryRun) return published;
    await putBundles(target, fresh, options);
    const entries = fresh.map((bundle) => entryOf(bundle, options.now));
    const index = entries.length === 0 ? before?.index : await appendIndex(target, { before, entries, ...options });
    if (index !== undefined) {
      // A sweeper looks at the index behind taking a bundle, we look at the bundle behind naming it: whoever is last mends it.
      await putBundles(target, await missingBundles(target, bundles), options);
      if (entries.length > 0) await switchTo(target, index, options);
      return published;
    }
    if (attempt >= ATTEMPTS)
      throw new BootwrightError("STORE_LOCKED", `${target.address}: others publish all the time`, {
        hint: "try again",
      });
  }
}

async function putBundles(target: Place, bundles: readonly NewBundle[], { signal }: PublishOptions): Promise<void> {
  for (const { local, size, sha256 } of bundles) {
    signal.throwIfAborted();
    await target.putFile(bundlePath(sha256), { local, size });
  }
}

/** Undefined when another publisher has made this serial meanwhile. */
async function appendIndex(
  target: Place,
  options: PublishOptions & { before: OpenedCatalog | undefined; entries: readonly CatalogEntry[] },
): Promise<CatalogIndex | undefined> {
  const { before, entries, secret, now } = options;
  const index: CatalogIndex = {
    name: before?.index.name ?? options.name,
    serial: (before?.index.serial ?? 0) + 1,
    updated: now,
    previous: before?.digest ?? "",
    bundles: [...(before?.index.bundles ?? []), ...entries],
  };
  return (await target.create(indexPath(index.serial), signIndex(index, secret))) ? index : undefined;
}

/** The index that counts; the serial of one whose publisher has died is written down. */
async function newestCatalog(target: Place, options: PublishOptions): Promise<OpenedCatalog | undefined> {
  const { current, newest } = await findNewest(target, options);
  if (newest !== undefined && newest !== current && !options.dryRun) {
    await missingBundles(target, addedBy(newest.index, current?.index));
    await switchTo(target, newest.index, options);
  }
  return newest;
}

/** Two publishers may switch in either order: whoever comes last looks whether it is the newest. */
async function switchTo(target: Place, first: CatalogIndex, options: PublishOptions): Promise<void> {
  for (let index = first; ; ) {
    await target.replace(CURRENT, Buffer.from(`${index.serial}\n`));
    const next = await readIndex(target, { ...options, serial: index.serial + 1 });
    if (next === undefined) return options.seen.remember(index.serial, { address: target.address, keys: options.keys });
    await missingBundles(target, addedBy(next.index, index));
    index = next.index;
  }
}

const addedBy = (index: CatalogIndex, before: CatalogIndex | undefined): readonly CatalogEntry[] => {
  const known = new Set(before?.bundles.map(({ sha256 }) => sha256));
  return index.bundles.filter(({ sha256 }) => !known.has(sha256));
};

/** True when it is there with these bytes. Throws EXISTS when it is there with others: a version never changes. */
function isKnown(index: CatalogIndex | undefined, { manifest, sha256 }: NewBundle): boolean {
  const same = index?.bundles.filter((one) => one.name === manifest.name && one.arch === manifest.arch) ?? [];
  const there = same.find((one) => one.version === manifest.version);
  if (there === undefined || there.sha256 === sha256) return there !== undefined;
  throw new BootwrightError("EXISTS", `the catalog has ${describeBundle(manifest)} already, with other bytes`, {
    hint: `a version never changes; publish it as ${nextVersion(
      manifest.version,
      same.map((one) => one.version),
    )}`,
    detail: `there  sha256:${there.sha256}\nhere   sha256:${sha256}`,
  });
}

/** "6.12.48" → "6.12.48-1", "-2" … */
function nextVersion(version: string, taken: readonly string[]): string {
  const base = version.replace(/-\d+$/, "");
  for (let n = 1; ; n++) if (!taken.includes(`${base}-${n}`)) return `${base}-${n}`;
}

const entryOf = ({ manifest, size, sha256 }: NewBundle, added: string): CatalogEntry => ({
  name: manifest.name,
  version: manifest.version,
  arch: manifest.arch,
  release: manifest.release,
  size,
  sha256,
  features: manifest.features,
  added,
});
