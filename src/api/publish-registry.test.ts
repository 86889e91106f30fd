import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOf } from "../base/digest.ts";
import { OCI_TYPES } from "../formats/oci.ts";
import { EMPTY_BYTES, encodeArtifact } from "../formats/oci-content.ts";
import { headManifest, putManifest } from "../oci/manifests.ts";
import { type FakeRegistry, fakeRegistry } from "../oci/registry.fake.ts";
import { Registry } from "../oci/registry.ts";
import { repositoryPlace } from "../oci/repository-place.ts";
import { repositoryTarget } from "./publish-registry.ts";

let fake: FakeRegistry;
beforeEach(async () => {
  fake = await fakeRegistry();
});
afterEach(() => fake.close());

const retired = { publication: "app", name: "app.oci.tar", immutable: ["v1"], sha256: "" };

async function published() {
  const { signal } = new AbortController();
  const registry = new Registry(fake.host, { credentials: async () => undefined, plainHttp: true, signal });
  const bytes = encodeArtifact({ artifactType: "application/x", files: [], annotations: {} });
  const document = { ...digestOf(bytes), mediaType: OCI_TYPES.manifest, bytes };
  const at = { host: fake.host, repository: "app", digest: document.hash };
  fake.blobs.set(`sha256:${digestOf(EMPTY_BYTES).hash}`, EMPTY_BYTES);
  await putManifest(registry, at, document);
  const hashOf = () => expect.unreachable();
  const documents = repositoryPlace(registry, { repository: "app", hashOf });
  const target = repositoryTarget(registry, { repository: "app", documents, signal });
  const remove = (...listed: readonly boolean[]) => {
    const answers = [...listed];
    return target.remove({ ...retired, digest: document.hash }, { isListed: async () => answers.shift()! });
  };
  return { remove, isThere: async () => (await headManifest(registry, at)) !== undefined };
}

test("what nothing means any more is removed; removed again is removed", async () => {
  const { remove, isThere } = await published();
  expect(await remove(false, false)).toBe(true);
  expect(await isThere()).toBe(false);
  expect(await remove(false, false)).toBe(true);
});

test("of two who remove it at once, both have", async () => {
  const { remove, isThere } = await published();
  expect(await Promise.all([remove(false, false), remove(false, false), remove(false, false)])).toEqual([
    true,
    true,
    true,
  ]);
  expect(await isThere()).toBe(false);
});

test("what another name means stays", async () => {
  const { remove, isThere } = await published();
  expect(await remove(true)).toBe(false);
  expect(await isThere()).toBe(true);
});

test("what was published anew while it was removed is put back", async () => {
  const { remove, isThere } = await published();
  await remove(false, true);
  expect(await isThere()).toBe(true);
});
