import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { concatBytes } from "../base/bytes.ts";
import { type Digest, digestOf } from "../base/digest.ts";
import { encodeOciDocument, OCI_TYPES } from "../formats/oci.ts";
import { encodeOciArchive, listOciArchive } from "../formats/oci-archive.ts";
import { headManifest, putManifest } from "../oci/manifests.ts";
import { type FakeRegistry, fakeRegistry } from "../oci/registry.fake.ts";
import { Registry } from "../oci/registry.ts";
import { repositoryPlace } from "../oci/repository-place.ts";
import { publishFiles } from "../publish/publish-files.ts";
import { newestState } from "../publish/read.ts";
import type { NewFile } from "../publish/target.ts";
import { hashFile } from "../store/blobs.ts";
import { repositoryTarget } from "./publish-registry.ts";

let fake: FakeRegistry;
beforeEach(async () => {
  fake = await fakeRegistry();
});
afterEach(() => fake.close());

const { signal } = new AbortController();

function open() {
  const registry = new Registry(fake.host, { credentials: async () => undefined, plainHttp: true, signal });
  const documents = repositoryPlace(registry, { repository: "app", hashOf: hashFile });
  const target = repositoryTarget(registry, { repository: "app", documents, signal });
  const leadsTo = async (named: { tag: string } | { digest: string }) =>
    (await headManifest(registry, { host: fake.host, repository: "app", ...named }))?.hash;
  return { registry, documents, target, leadsTo };
}

function imageOf(layer: string) {
  const blobs = new Map<string, Buffer>();
  const keep = (mediaType: string, bytes: Buffer) => {
    const { hash, size } = digestOf(bytes);
    blobs.set(hash, bytes);
    return { mediaType, digest: `sha256:${hash}`, size };
  };
  const bytes = encodeOciDocument({
    ...{ schemaVersion: 2, mediaType: OCI_TYPES.manifest, config: keep(OCI_TYPES.config, Buffer.from("{}")) },
    layers: [keep(OCI_TYPES.gzipLayer, Buffer.from(layer))],
  });
  return { document: { ...digestOf(bytes), mediaType: OCI_TYPES.manifest, bytes }, blobs };
}

async function fileOf(version: string, layer: string): Promise<NewFile> {
  const { document, blobs } = imageOf(layer);
  const archive = await listOciArchive(document, () => expect.unreachable());
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeOciArchive(archive, ({ hash }: Digest) => [blobs.get(hash)!])) chunks.push(chunk);
  const local = path.join(tempDir(), "file");
  fs.writeFileSync(local, concatBytes(chunks));
  return {
    ...{ publication: "app", image: "app", kind: "oci", name: `app-${version}.oci.tar`, arch: "x86_64", kernel: "" },
    ...{ immutable: [`v${version}`], moving: ["latest"], version, local, size: archive.size },
    sha256: hashFile(local).hash,
  };
}

describe("what is taken away", () => {
  async function published() {
    const { registry, target, leadsTo } = open();
    const { document, blobs } = imageOf("a layer");
    for (const [hash, bytes] of blobs) fake.blobs.set(`sha256:${hash}`, bytes);
    await putManifest(registry, { host: fake.host, repository: "app", digest: document.hash }, document);
    const retired = { publication: "app", name: "app.oci.tar", immutable: ["v1"], sha256: "", digest: document.hash };
    return {
      remove: (...listed: readonly boolean[]) => {
        const answers = [...listed];
        return target.remove(retired, { isListed: async () => answers.shift()! });
      },
      isThere: async () => (await leadsTo({ digest: document.hash })) !== undefined,
    };
  }

  test("goes when nothing means it any more; what is gone is gone", async () => {
    const { remove, isThere } = await published();
    expect(await remove(false, false)).toBe(true);
    expect(await isThere()).toBe(false);
    expect(await remove(false, false)).toBe(true);
  });

  test("has been taken away by each of several who do so at once", async () => {
    const { remove, isThere } = await published();
    const all = await Promise.all([remove(false, false), remove(false, false), remove(false, false)]);
    expect(all).toEqual([true, true, true]);
    expect(await isThere()).toBe(false);
  });

  test("stays when another name means it", async () => {
    const { remove, isThere } = await published();
    expect(await remove(true)).toBe(false);
    expect(await isThere()).toBe(true);
  });

  test("is put back when it was published anew meanwhile", async () => {
    const { remove, isThere } = await published();
    await remove(false, true);
    expect(await isThere()).toBe(true);
  });
});

test("two publishers with two images by turns, of which one is kept: what is listed is there", {
  timeout: 120_000,
}, async () => {
  const { documents, leadsTo } = open();
  const publish = async (version: string, layer: string) =>
    publishFiles(open().target, {
      ...{ files: [await fileOf(version, layer)], keep: { app: 1 }, protectedDigests: new Set<string>(), views: [] },
      ...{ secret: undefined, now: "2026-01-02T03:04:05Z", signal, dryRun: false },
    });
  for (let round = 1; round <= 8; round++) {
    await Promise.all([publish(`1.0.${round}`, "one"), publish(`2.0.${round}`, "two")]);
    const { state, settled } = (await newestState(documents, signal))!;
    expect(settled).toBe(state.serial);
    for (const { digest, immutable } of state.files) {
      expect(await leadsTo({ digest })).toBe(digest);
      expect(await leadsTo({ tag: immutable[0]! })).toBe(digest);
    }
    expect(await leadsTo({ tag: "latest" })).toBe(state.files[0]!.digest);
  }
});
