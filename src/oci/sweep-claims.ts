/**
 * Takes away claims of publishers that are done or died. What they pushed and never named has no tag: only the registry's own
 * collector can find it.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import { hasCode } from "../base/errors.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import { type Document, deleteManifest, findManifest } from "./manifests.ts";
import type { Registry } from "./registry.ts";
import { CLAIM, CLAIMED_AT } from "./repository-place.ts";
import { listTags } from "./tags.ts";

export interface SweptClaim {
  readonly tag: string;
  /** False where the registry deletes nothing. */
  readonly removed: boolean;
}

/** `age`: milliseconds by this host's clock, as claims are. Those that were taken back go at any age. */
export async function sweepClaims(
  registry: Registry,
  { repository, age, dryRun, clock = systemClock }: { repository: string; age: number; dryRun: boolean; clock?: Clock },
): Promise<readonly SweptClaim[]> {
  const { host } = registry;
  const swept: SweptClaim[] = [];
  for (const tag of await tagsOf(registry, repository)) {
    if (!CLAIM.test(tag)) continue;
    const claim = await findManifest(registry, { host, repository, tag });
    if (claim === undefined || claimedAt(claim) >= clock.now() - age) continue;
    // A claim has its own name in it, so no other tag leads to this manifest.
    const removed = dryRun || (await deleteManifest(registry, { host, repository, digest: claim.hash }));
    swept.push({ tag, removed });
  }
  return swept;
}

/** Whatever has such a tag and is no claim of ours is as if made just now. */
function claimedAt({ bytes, mediaType }: Document): number {
  const time = parseOciContent(bytes, mediaType, "claim").annotations.get(CLAIMED_AT);
  return time === undefined ? Number.POSITIVE_INFINITY : Number(time);
}

async function tagsOf(registry: Registry, repository: string): Promise<readonly string[]> {
  try {
    return await listTags(registry, repository);
  } catch (error) {
    if (hasCode(error, "REGISTRY_UNKNOWN")) return [];
    throw error;
  }
}
