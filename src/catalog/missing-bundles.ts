/** Which bundles of an index are not where it says: a sweeper may have taken one for left over just before it was named. */
import type { Place } from "../base/place.ts";
import { putBack } from "../base/sweep.ts";
import { bundlePath, type CatalogEntry } from "./catalog-index.ts";

/** What a sweeper has set aside is put back first. */
export async function missingBundles<T extends Pick<CatalogEntry, "sha256" | "size">>(
  target: Place,
  bundles: readonly T[],
): Promise<readonly T[]> {
  const missing: T[] = [];
  for (const bundle of bundles) {
    const at = bundlePath(bundle.sha256);
    const isThere = async () => (await target.stat(at))?.size === bundle.size;
    if (await isThere()) continue;
    await putBack(target, at);
    if (!(await isThere())) missing.push(bundle);
  }
  return missing;
}
