/** Breaks on the way to a real registry, which does as it does: Debian's knows nothing of an upload that broke. */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import { bytesBlob } from "../../src/oci/blob.ts";
import type { Fault, Seen } from "../../src/oci/fault-proxy.fake.ts";
import { pullBlob } from "../../src/oci/pull-blob.ts";
import { pushBlob } from "../../src/oci/push-blob.ts";
import { Registry } from "../../src/oci/registry.ts";
import { breakingRegistry } from "../support/breaking-registry.ts";

const breaking = breakingRegistry();

const SIZE = 5_000_000;
const repository = "team/thing";
const connect = () =>
  new Registry(breaking.proxy.host, {
    credentials: async () => undefined,
    plainHttp: true,
    backoffMs: 1,
    stallMs: 1000,
  });
const once = (fault: Fault, isCall: (seen: Seen) => boolean) => {
  let left = 1;
  breaking.proxy.fault = (seen) => (isCall(seen) && left-- > 0 ? fault : undefined);
};
const isUpload = ({ method, path: at }: Seen) => method === "PUT" && at.includes("/uploads/");
const isChunk = ({ method }: Seen) => method === "PATCH";
const isBlob = ({ method, path: at }: Seen) => method === "GET" && at.includes("/blobs/");

test.each<[string, Fault, (seen: Seen) => boolean, number | undefined]>([
  ["a body that breaks", { kind: "resetRequest", after: 2_000_000 }, isUpload, undefined],
  ["a chunk that breaks", { kind: "resetRequest", after: 500_000 }, isChunk, 2_000_000],
  ["a lost answer", { kind: "loseAnswer" }, isUpload, undefined],
  ["a lost answer to a chunk", { kind: "loseAnswer" }, isChunk, 2_000_000],
  ["a busy registry", { kind: "status", status: 503 }, isUpload, undefined],
])("%s ends in a whole blob", async (_, fault, isCall, chunkSize) => {
  const bytes = randomBytes(SIZE);
  const { hash, size } = digestOf(bytes);
  once(fault, isCall);
  await pushBlob(connect(), bytesBlob({ hash, size }, bytes), { repository, chunkSize });
  const kept = path.join(breaking.server.root, "docker/registry/v2/blobs/sha256", hash.slice(0, 2), hash, "data");
  expect(fs.readFileSync(kept).equals(bytes)).toBe(true);
});

test("a changed body is refused by the registry, and nothing is kept", async () => {
  const bytes = randomBytes(SIZE);
  breaking.proxy.fault = (seen) => (isUpload(seen) ? { kind: "corruptRequest", at: 1_000_000 } : undefined);
  const pushed = pushBlob(connect(), bytesBlob(digestOf(bytes), bytes), { repository });
  await expect(pushed).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
});

test("a download goes on where it broke", async () => {
  const bytes = randomBytes(SIZE);
  const digest = digestOf(bytes);
  breaking.proxy.fault = () => undefined;
  await pushBlob(connect(), bytesBlob(digest, bytes), { repository });
  const from = breaking.proxy.seen.length;
  once({ kind: "reset", after: 3_000_000 }, isBlob);
  const chunks: Uint8Array[] = [];
  for await (const chunk of pullBlob(connect(), digest, { repository })) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  const ranges = breaking.proxy.seen
    .slice(from)
    .filter(isBlob)
    .map(({ headers }) => headers.range);
  expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d+-$/)]);
});
