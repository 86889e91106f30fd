/**
 * Every call of the client under every fault, once and for ever: the right result or an error with a code, and never a name
 * that leads to half of its content.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError, isBootwrightError } from "../base/errors.ts";
import { closeConnections } from "../base/http.ts";
import { localArtifact } from "./artifact.ts";
import { bytesBlob } from "./blob.ts";
import { copyContent } from "./copy.ts";
import { type Fault, type FaultProxy, faultProxy, type Seen } from "./fault-proxy.fake.ts";
import { getManifest, headManifest } from "./manifests.ts";
import { pullBlob } from "./pull-blob.ts";
import { pushBlob } from "./push-blob.ts";
import { listReferrers } from "./referrers.ts";
import { type FakeRegistry, fakeRegistry } from "./registry.fake.ts";
import { Registry } from "./registry.ts";
import { openRepository } from "./repository.ts";
import { listTags } from "./tags.ts";

vi.stubEnv("no_proxy", "127.0.0.1,localhost");
afterAll(closeConnections);

let fake: FakeRegistry;
let proxy: FaultProxy;
beforeAll(async () => {
  fake = await fakeRegistry({ page: 2 });
  proxy = await faultProxy(fake.host);
});
afterAll(async () => {
  await proxy.close();
  await fake.close();
});
afterEach(() => {
  proxy.fault = () => undefined;
});

const SIZE = 300_000;
const repository = "team/thing";
const connect = () =>
  new Registry(proxy.host, {
    credentials: async () => undefined,
    plainHttp: true,
    backoffMs: 1,
    attempts: 3,
    stallMs: 60,
  });

const FAULTS: Readonly<Record<string, Fault>> = {
  "500": { kind: "status", status: 500 },
  "503 with Retry-After": { kind: "status", status: 503, headers: { "retry-after": "0" } },
  "429": { kind: "status", status: 429, headers: { "retry-after": "0" } },
  "401 with nothing to answer": { kind: "status", status: 401 },
  "403": { kind: "status", status: 403 },
  "404": { kind: "status", status: 404 },
  "302 to nowhere": { kind: "status", status: 302 },
  "a reset before the answer": { kind: "reset", after: 0 },
  "a reset within the answer": { kind: "reset", after: 100 },
  "a reset within the request": { kind: "resetRequest", after: 100_000 },
  "a lost answer": { kind: "loseAnswer" },
  "a short answer": { kind: "truncate", to: 50 },
  "an empty answer": { kind: "truncate", to: 0 },
  "a stall": { kind: "stall", after: 10 },
  "a changed answer": { kind: "corrupt", at: 30 },
  "a changed request": { kind: "corruptRequest", at: 60 },
  "a false digest": { kind: "lieDigest" },
};

/** By what the request is about. */
const CALLS: Readonly<Record<string, (seen: Seen) => boolean>> = {
  "HEAD blob": ({ method, path }) => method === "HEAD" && /blobs\/sha256/.test(path),
  "POST upload": ({ method }) => method === "POST",
  "PUT upload": ({ method, path }) => method === "PUT" && path.includes("/uploads/"),
  "HEAD manifest": ({ method, path }) => method === "HEAD" && path.includes("/manifests/"),
  "PUT manifest": ({ method, path }) => method === "PUT" && path.includes("/manifests/"),
  "GET manifest": ({ method, path }) => method === "GET" && path.includes("/manifests/"),
  "GET blob": ({ method, path }) => method === "GET" && /blobs\/sha256/.test(path),
  "GET tags": ({ method, path }) => method === "GET" && path.includes("/tags/"),
  "GET referrers": ({ method, path }) => method === "GET" && path.includes("/referrers/"),
};

const readAll = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
};

let count = 0;

/** Pushes something new, then reads all of it back; says what came of it. */
async function pushAndRead(): Promise<"right" | string> {
  const tag = "1";
  const repository = `team/thing${++count}`;
  fake.blobs.clear();
  const bytes = randomBytes(SIZE);
  const dir = tempDir();
  const file = path.join(dir, "f");
  fs.writeFileSync(file, bytes);
  const { document, source } = localArtifact([{ file, title: "f" }], {
    artifactType: "application/vnd.example.x",
    annotations: {},
  });
  const reference = { host: proxy.host, repository, tag };
  try {
    const registry = connect();
    await copyContent(document, { from: source, to: openRepository(registry, { repository }), tag });
    const got = await getManifest(registry, reference);
    expect(got.bytes).toEqual(document.bytes);
    expect((await readAll(pullBlob(registry, digestOf(bytes), { repository }))).equals(bytes)).toBe(true);
    // As `oci push` does: a name that does not lead where it should is an error.
    const head = await headManifest(registry, reference);
    if (head?.hash !== document.hash) throw new BootwrightError("DIGEST_MISMATCH", "not what was pushed");
    expect(await listTags(registry, repository)).toHaveLength(1); // What changes a name on its way, nobody can see.
    expect(await listReferrers(registry, { repository, hash: document.hash })).toEqual([]);
    return "right";
  } catch (error) {
    if (!isBootwrightError(error)) throw error;
    return error.code;
  } finally {
    // Whatever happened: a name that is there leads to all of it, and the registry holds no wrong bytes.
    const named = fake.manifests.get(`${repository}:${tag}`);
    if (named !== undefined) {
      expect(named.bytes).toEqual(document.bytes);
      expect(fake.blobs.get(`sha256:${digestOf(bytes).hash}`)?.equals(bytes)).toBe(true);
    }
    for (const [digest, kept] of fake.blobs) expect(`sha256:${digestOf(kept).hash}`).toBe(digest);
  }
}

/** Codes that a fault of the network or the registry may end in. */
const CODED =
  /^(NETWORK|HTTP_STATUS|DIGEST_MISMATCH|FORMAT_INVALID|UNSUPPORTED|LOGIN_NEEDED|REGISTRY_\w+|RATE_LIMITED)$/;

describe.each(Object.entries(CALLS))("%s", (_, isCall) => {
  test.each(Object.entries(FAULTS))("%s", async (_name, fault) => {
    let left = 1;
    proxy.fault = (seen) => (isCall(seen) && left-- > 0 ? fault : undefined);
    const once = await pushAndRead();
    expect(once === "right" || CODED.test(once), once).toBe(true);
    // What passes by itself is waited for.
    if (fault.kind === "status" && [500, 503, 429].includes(fault.status)) expect(once).toBe("right");
    if (fault.kind === "reset" || fault.kind === "loseAnswer") expect(once).toBe("right");
    proxy.fault = (seen) => (isCall(seen) ? fault : undefined);
    const always = await pushAndRead();
    expect(always === "right" || CODED.test(always), always).toBe(true);
    if (fault.kind === "status" && [500, 503].includes(fault.status)) expect(always).toBe("HTTP_STATUS");
    if (fault.kind === "status" && fault.status === 429) expect(always).toBe("RATE_LIMITED");
  });
});

describe("an upload", () => {
  const bytes = randomBytes(SIZE);
  const blob = bytesBlob(digestOf(bytes), bytes);
  const fresh = () => {
    fake.blobs.clear();
    fake.asked.splice(0);
    fake.received = 0;
  };

  test("goes on where it broke", async () => {
    fresh();
    let left = 1;
    proxy.fault = (seen) =>
      CALLS["PUT upload"]!(seen) && left-- > 0 ? { kind: "resetRequest", after: 100_000 } : undefined;
    expect(await pushBlob(connect(), blob, { repository })).toBe("uploaded");
    expect(fake.blobs.get(`sha256:${blob.hash}`)?.equals(bytes)).toBe(true);
    expect(fake.asked).toEqual(["HEAD blobs", "POST upload", "PUT upload", "GET upload", "PATCH upload", "PUT upload"]);
    expect(fake.received).toBe(SIZE);
  });

  test("whose end was lost is not sent again", async () => {
    fresh();
    let left = 1;
    proxy.fault = (seen) => (CALLS["PUT upload"]!(seen) && left-- > 0 ? { kind: "loseAnswer" } : undefined);
    expect(await pushBlob(connect(), blob, { repository })).toBe("present");
    expect(fake.received).toBe(SIZE);
  });

  test("in chunks is as large as the registry wants them at least", async () => {
    const strict = await fakeRegistry({ leastChunk: 120_000 });
    const registry = new Registry(strict.host, { credentials: async () => undefined, plainHttp: true });
    expect(await pushBlob(registry, blob, { repository, chunkSize: 1000 })).toBe("uploaded");
    expect(strict.asked.filter((one) => one === "PATCH upload")).toHaveLength(3);
    await strict.close();
  });

  test("that is too large for something on the way is sent in chunks", async () => {
    const large = randomBytes(33 * 1024 * 1024);
    const narrow = await fakeRegistry({ largest: 32 * 1024 * 1024 });
    const registry = new Registry(narrow.host, { credentials: async () => undefined, plainHttp: true });
    expect(await pushBlob(registry, bytesBlob(digestOf(large), large), { repository })).toBe("uploaded");
    expect(narrow.asked.filter((one) => one === "PATCH upload")).toHaveLength(2);
    expect(narrow.blobs.size).toBe(1);
    await narrow.close();
  });

  test("is mounted where the registry has it under another name", async () => {
    fresh();
    fake.blobs.set(`sha256:${blob.hash}`, bytes);
    // Not in this repository: HEAD says no.
    let left = 1;
    proxy.fault = (seen) => (CALLS["HEAD blob"]!(seen) && left-- > 0 ? { kind: "status", status: 404 } : undefined);
    const mountFrom = { host: proxy.host, repository: "other/thing" };
    expect(await pushBlob(connect(), { ...blob, mountFrom }, { repository })).toBe("mounted");
    expect(fake.received).toBe(0);
  });
});

test("a token that expires on the way is renewed, within an upload as well", async () => {
  const uses = new Map<string, number>();
  const service = http.createServer((_, response) => {
    const token = `token-${uses.size + 1}`;
    uses.set(token, 0);
    response.end(JSON.stringify({ token, expires_in: 3600 }));
  });
  service.listen(0, "127.0.0.1");
  await new Promise((resolve) => service.once("listening", resolve));
  const { port } = service.address() as AddressInfo;
  const headers = { "www-authenticate": `Bearer realm="http://127.0.0.1:${port}/token",service="tests"` };
  proxy.fault = (seen) => {
    const token = String(seen.headers.authorization).replace("Bearer ", "");
    const used = uses.get(token);
    if (used === undefined || used >= 3) return { kind: "status", status: 401, headers };
    uses.set(token, used + 1);
    return undefined;
  };
  expect(await pushAndRead()).toBe("right");
  expect(uses.size).toBeGreaterThan(3);
  service.close();
});

test("a registry that wants long patience is not waited for", async () => {
  proxy.fault = () => ({ kind: "status", status: 429, headers: { "retry-after": "3600" } });
  await expect(listTags(connect(), repository)).rejects.toMatchObject({
    code: "RATE_LIMITED",
    message: expect.stringContaining("again in 60 minutes"),
    hint: expect.stringContaining("oci login"),
  });
  expect(proxy.seen.length).toBeGreaterThan(0);
});
