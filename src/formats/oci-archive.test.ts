import { describe, expect, test } from "vitest";
import { concatBytes } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { encodeOciDocument, OCI_TYPES, type OciDescriptor } from "./oci.ts";
import { encodeOciArchive, isContainerImage, listOciArchive, type OciDocument } from "./oci-archive.ts";
import { encodeArtifact, parseOciContent } from "./oci-content.ts";
import { readTar } from "./tar-reader.ts";

const blobs = new Map<string, Buffer>();
function keep(mediaType: string, bytes: Buffer) {
  const { hash, size } = digestOf(bytes);
  blobs.set(hash, bytes);
  return { mediaType, digest: `sha256:${hash}`, size };
}

/** Layers may be shared. */
function manifest(...layers: readonly string[]): OciDocument {
  const bytes = encodeOciDocument({
    ...{ schemaVersion: 2, mediaType: OCI_TYPES.manifest, config: keep(OCI_TYPES.config, Buffer.from("config")) },
    layers: layers.map((text) => keep(OCI_TYPES.gzipLayer, Buffer.from(text))),
  });
  return documentOf(OCI_TYPES.manifest, bytes);
}

function index(...manifests: readonly OciDocument[]): OciDocument {
  const bytes = encodeOciDocument({
    ...{ schemaVersion: 2, mediaType: OCI_TYPES.index },
    manifests: manifests.map(({ mediaType, hash, size }) => ({ mediaType, digest: `sha256:${hash}`, size })),
  });
  return documentOf(OCI_TYPES.index, bytes);
}

function documentOf(mediaType: string, bytes: Buffer): OciDocument {
  keep(mediaType, bytes);
  return { ...digestOf(bytes), mediaType, bytes };
}

const read = async ({ hash }: Pick<OciDescriptor, "hash">): Promise<Uint8Array> => blobs.get(hash)!;

async function archiveOf(root: OciDocument): Promise<Buffer> {
  const archive = await listOciArchive(root, read);
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeOciArchive(archive, ({ hash }) => [blobs.get(hash)!])) chunks.push(chunk);
  const bytes = Buffer.from(concatBytes(chunks));
  expect(bytes.length).toBe(archive.size);
  return bytes;
}

async function membersOf(bytes: Buffer): Promise<Map<string, string>> {
  const members = new Map<string, string>();
  for await (const { path, content } of readTar([bytes])) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content()) chunks.push(chunk);
    members.set(path, concatBytes(chunks).toString());
  }
  return members;
}

describe("an image's archive", () => {
  test("holds the layout, each blob once, what it is first", async () => {
    const root = index(manifest("both", "amd64"), manifest("both", "arm64"));
    const members = await membersOf(await archiveOf(root));
    const names = [...members.keys()];
    expect(names.slice(0, 2)).toEqual(["oci-layout", "index.json"]);
    expect(names.slice(2)).toEqual([...names.slice(2)].sort());
    // An index, two manifests, one config, three layers.
    expect(names).toHaveLength(2 + 1 + 2 + 1 + 3);
    for (const [name, text] of members)
      if (name.startsWith("blobs/")) expect(name).toBe(`blobs/sha256/${digestOf(text).hash}`);
    expect(JSON.parse(members.get("index.json")!).manifests).toEqual([
      {
        ...{ mediaType: OCI_TYPES.index, digest: `sha256:${root.hash}`, size: root.size },
        annotations: { "org.opencontainers.image.ref.name": "latest" },
      },
    ]);
  });

  // Releases name archives by digest: these bytes must not change.
  test("is the same file for ever", async () => {
    expect(digestOf(await archiveOf(manifest("a layer"))).hash).toBe(
      "5d45aa20d8b40630e5817acd70d0fd3b3ac95fc7ad2b1335fe4a70210a97e55b",
    );
    expect(digestOf(await archiveOf(index(manifest("a layer")))).hash).toBe(
      "06423ed973ac7285fd5485140d43ebcb5438ae570fe99084b3e53688ffa16a09",
    );
  });

  test("of what is not what its name says is none", async () => {
    const lying = async () => Buffer.from("{}");
    await expect(listOciArchive(index(manifest("a layer")), lying)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  test("of indexes without end is refused", async () => {
    let deep = index(manifest("a layer"));
    for (let i = 0; i < 10; i++) deep = index(deep);
    await expect(listOciArchive(deep, read)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  });
});

test("an artifact of files is no container image", () => {
  const files = [{ mediaType: "text/plain", ...digestOf("text"), title: "a.txt" }];
  const bytes = encodeArtifact({ artifactType: "application/vnd.bootwright.tar.v1", files, annotations: {} });
  expect(isContainerImage(parseOciContent(bytes, OCI_TYPES.manifest, "it"))).toBe(false);
  for (const { bytes, mediaType } of [manifest("a layer"), index(manifest("a layer"))])
    expect(isContainerImage(parseOciContent(bytes, mediaType, "it"))).toBe(true);
});
