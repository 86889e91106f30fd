/**
 * What dead publishers of kernels have left in a catalog's place: bundles that no index names. Each index that lies there counts, not
 * only the newest: somebody may be reading it. See docs/internals/sweeping.md.
 */
import type { SweptPlace } from "../base/place.ts";
import { type Swept, sweepPlace } from "../base/sweep.ts";
import { bundlePath, MAX_INDEX, namedBundles } from "./catalog-index.ts";
import { findNewest, type OpenCatalogOptions } from "./open-catalog.ts";

export interface SweepCatalogOptions extends OpenCatalogOptions {
  /** Say what would be done. */
  readonly dryRun: boolean;
}

/** Throws what reading the catalog and writing there throws. */
export async function sweepCatalog(place: SweptPlace, options: SweepCatalogOptions): Promise<readonly Swept[]> {
  const { signal, dryRun } = options;
  const newest = async (): Promise<readonly string[]> =>
    (await findNewest(place, options)).newest?.index.bundles.map(({ sha256 }) => bundlePath(sha256)) ?? [];
  // In this order: an index that is made between the two is the newest, or one before it.
  const older = await allNamed(place, signal);
  const read = async () => {
    const named = new Set([...older, ...(await newest())]);
    return (content: string) => named.has(content);
  };
  return sweepPlace(place, {
    ...{ signal, dryRun },
    ...{ folder: "bundles", content: /^[0-9a-f]{64}\.tar\.zst$/, documents: "index" },
    named: await read(),
    readNamed: read,
    isForgotten: () => false,
    isUploaded: () => false,
  });
}

/** Of all indexes that lie there, whoever signed them: who names a bundle only keeps it. */
async function allNamed(place: SweptPlace, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  for await (const { path } of place.list(["index"])) {
    if (!/^index\/[1-9]\d{0,14}$/.test(path)) continue;
    const file = await place.read(path, { maxSize: MAX_INDEX, signal });
    for (const sha256 of file === undefined ? [] : namedBundles(file, `${place.address}/${path}`))
      named.add(bundlePath(sha256));
  }
  return named;
}
