/**
 * Files under names in a repository, each an artifact under a tag of its own: what a catalog needs to lie in a registry. A tag can
 * be switched at once, but OCI has no "only if it is not there yet". So who makes a name that must be made once says so first:
 * claims are tags, too. Of two who claim, each sees the other's claim in the list of tags unless one was first in all, so at
 * most one goes on; the others step back and look again. See docs/decisions/0026-registries.md.
 */
import { randomBytes, randomInt } from "node:crypto";
import { type Clock, systemClock } from "../base/clock.ts";
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Place } from "../base/place.ts";
import { OCI_TYPES } from "../formats/oci.ts";
import { EMPTY_BYTES, encodeArtifact, parseOciContent } from "../formats/oci-content.ts";
import { type BlobSource, bytesBlob, fileBlob } from "./blob.ts";
import { copyContent } from "./copy.ts";
import { type Document, deleteManifest, findManifest, getManifest, headManifest, putManifest } from "./manifests.ts";
import { pullBlob } from "./pull-blob.ts";
import type { Registry } from "./registry.ts";
import { openRepository } from "./repository.ts";
import { listTags } from "./tags.ts";

const TYPE = "application/vnd.bootwright.catalog.v1";
export const CLAIMED_AT = "org.bootwright.claimed";
/** Tags of claims. */
export const CLAIM = /^claim-.+-[0-9a-f]{16}$/;
/** A claim older than this is of somebody who died, in milliseconds. Publishers' clocks may differ by a third of it. */
const CLAIM_LASTS = 3 * 60_000;
/** How long one waits for others, in milliseconds. */
const PATIENCE = 4 * 60_000;

export function repositoryPlace(
  registry: Registry,
  { repository, hashOf, clock = systemClock }: { repository: string; hashOf: (file: string) => Digest; clock?: Clock },
): Place {
  const { host, signal } = registry;
  const target = openRepository(registry, { repository });
  const at = (tag: string) => ({ host, repository, tag });
  const exists = async (tag: string) => (await headManifest(registry, at(tag))) !== undefined;

  const put = async (tag: string, blob: BlobSource, annotations: Readonly<Record<string, string>> = {}) => {
    const { hash, size } = blob;
    const files = [{ mediaType: "application/octet-stream", hash, size, title: tag }];
    const bytes = encodeArtifact({ artifactType: TYPE, files, annotations });
    const document: Document = { ...digestOf(bytes), mediaType: OCI_TYPES.manifest, bytes };
    const empty = digestOf(EMPTY_BYTES);
    const source = {
      label: tag,
      document: async () => document,
      blob: (digest: Digest) => (digest.hash === empty.hash ? bytesBlob(empty, EMPTY_BYTES) : blob),
    };
    await copyContent(document, { from: source, to: target, tag, signal });
  };
  const putBytes = (tag: string, bytes: Uint8Array, annotations?: Readonly<Record<string, string>>) =>
    put(tag, bytesBlob(digestOf(bytes), bytes), annotations);

  /** A claim that is there, not taken back, and not of long ago. */
  const isLive = async (tag: string): Promise<boolean> => {
    const claim = await findManifest(registry, at(tag));
    if (claim === undefined) return false;
    const time = Number(parseOciContent(claim.bytes, claim.mediaType, tag).annotations.get(CLAIMED_AT));
    return time > clock.now() - CLAIM_LASTS;
  };
  // Not every registry deletes, and not every account may: a claim of long ago is none.
  const takeBack = (claim: string) => putBytes(claim, EMPTY_BYTES, { [CLAIMED_AT]: "0" });

  const layerOf = async (tag: string): Promise<Digest> => {
    const { bytes, mediaType } = await getManifest(registry, at(tag));
    const content = parseOciContent(bytes, mediaType, `${host}/${repository}:${tag}`);
    const layer = content.kind === "manifest" ? content.layers[0] : undefined;
    if (layer !== undefined) return layer;
    throw new BootwrightError("FORMAT_INVALID", `${host}/${repository}:${tag} is no file of a catalog`);
  };

  const createOnce = async (tag: string, bytes: Uint8Array): Promise<boolean | "others"> => {
    if (await exists(tag)) return false;
    const claim = `claim-${tag}-${randomBytes(8).toString("hex")}`;
    const began = clock.elapsed();
    await putBytes(claim, EMPTY_BYTES, { [CLAIMED_AT]: String(clock.now()) });
    try {
      const others = (await listTags(registry, repository)).filter(
        (one) => one.startsWith(`claim-${tag}-`) && one !== claim,
      );
      for (const other of others) if (await isLive(other)) return "others";
      if (await exists(tag)) return false; // Made and taken back between our look and our claim.
      if (clock.elapsed() - began > CLAIM_LASTS / 3) return "others"; // Others may hold us for dead.
      await putBytes(tag, bytes);
      return true;
    } finally {
      await takeBack(claim);
    }
  };

  return {
    address: `oci://${host}/${repository}`,
    async read(name, { maxSize }) {
      const tag = tagOf(name);
      if (!(await exists(tag))) return undefined;
      const layer = await layerOf(tag);
      if (layer.size > maxSize)
        throw new BootwrightError(
          "LIMIT_EXCEEDED",
          `${host}/${repository}:${tag} has ${layer.size} bytes; at most ${maxSize} fit`,
        );
      const chunks: Uint8Array[] = [];
      for await (const chunk of pullBlob(registry, layer, { repository })) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    async putFile(name, { local }) {
      const tag = tagOf(name);
      if (!(await exists(tag))) await put(tag, fileBlob(hashOf(local), { file: local }));
    },
    async create(name, bytes) {
      const until = clock.elapsed() + PATIENCE;
      for (;;) {
        const made = await createOnce(tagOf(name), bytes);
        if (made !== "others") return made;
        if (clock.elapsed() > until)
          throw new BootwrightError("STORE_LOCKED", `${host}/${repository}: others publish all the time`, {
            hint: "try again",
          });
        await clock.sleep(randomInt(20, 400), signal);
      }
    },
    replace: (name, bytes) => putBytes(tagOf(name), bytes),
    async stat(name) {
      const tag = tagOf(name);
      if (!(await exists(tag))) return undefined;
      const { size, hash } = await layerOf(tag);
      return { size, sha256: async () => hash };
    },
    async link(name, from) {
      await putManifest(registry, at(tagOf(name)), await getManifest(registry, at(tagOf(from))));
    },
    async remove(name) {
      const found = await headManifest(registry, at(tagOf(name)));
      return found === undefined || deleteManifest(registry, { host, repository, digest: found.hash });
    },
  };
}

/** "index/12" → "index-12", "bundles/9f2c….tar.zst" → "bundles-9f2c….tar.zst". */
const tagOf = (name: string): string => name.replaceAll("/", "-");
