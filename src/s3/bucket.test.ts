import { expect, test } from "vitest";
import { bytesPayload } from "./bucket.ts";
import { createOnce } from "./create-once.ts";
import { faultyStore } from "./faulty-store.fake.ts";
import { deleteObject, getObject, headObject, putObject } from "./objects.ts";

const BUSY = { status: 503, code: "SlowDown" };
const body = bytesPayload(Buffer.from("content"));

test("a busy or broken server is asked again, a refusal is not", async () => {
  const { bucket, requests } = await faultyStore([BUSY, { reset: "before" }, { reset: "after" }]);
  await putObject(bucket, "k", { body });
  expect(requests).toEqual(Array(4).fill("PUT /b/k"));
  const refusing = await faultyStore([{ status: 403, code: "AccessDenied" }]);
  await expect(putObject(refusing.bucket, "k", { body })).rejects.toMatchObject({
    code: "OBJECT_DENIED",
    message: expect.stringContaining("AK (the test) may not do that"),
    detail: expect.stringContaining("AccessDenied: as told"),
  });
  expect(refusing.requests).toHaveLength(1);
});

test("a server that stays busy ends the attempts", async () => {
  const { bucket, requests } = await faultyStore(Array(9).fill(BUSY), { attempts: 3 });
  await expect(headObject(bucket, "k")).rejects.toMatchObject({ code: "HTTP_STATUS", status: 503 });
  const dead = await faultyStore(Array(9).fill({ reset: "before" }), { attempts: 2 });
  await expect(headObject(dead.bucket, "k")).rejects.toMatchObject({ code: "NETWORK" });
  expect([requests.length, dead.requests.length]).toEqual([3, 2]);
});

test("a bucket is believed to be gone when the server says so again, and later when it was there before", async () => {
  const NONE = { status: 404, code: "NoSuchBucket" };
  const unknown = { code: "BUCKET_UNKNOWN", message: expect.stringContaining("has no bucket b") };
  const never = await faultyStore(Array(9).fill(NONE));
  await expect(putObject(never.bucket, "k", { body })).rejects.toMatchObject(unknown);
  expect(never.requests).toHaveLength(2);
  const once = await faultyStore([NONE]);
  expect((await putObject(once.bucket, "k", { body })).repeated).toBe(false); // Nothing was done by the first.
  expect(once.requests).toHaveLength(2);
  const reasons: string[] = [];
  const known = await faultyStore([undefined, NONE, BUSY, NONE, undefined, ...Array(9).fill(NONE)], {
    ...{ attempts: 4, emit: (event) => void (event.type === "retry" && reasons.push(event.reason)) },
  });
  await putObject(known.bucket, "k", { body });
  expect((await getObject(known.bucket, "k", { maxSize: 99 }))?.toString()).toBe("content");
  expect(reasons).toEqual(["404 NoSuchBucket", "503 SlowDown", "404 NoSuchBucket"]);
  await expect(getObject(known.bucket, "k", { maxSize: 99 })).rejects.toMatchObject(unknown);
  expect(known.requests).toHaveLength(1 + 4 + 4);
});

test("Retry-After is kept", async () => {
  const waits: number[] = [];
  const { bucket } = await faultyStore([{ ...BUSY, retryAfter: 1 }], {
    emit: (event) => {
      if (event.type === "retry") waits.push(event.waitMs);
    },
  });
  await deleteObject(bucket, "k");
  expect(waits).toEqual([1000]);
});

test("a transfer that breaks goes on where it was; one that is too long is stopped", async () => {
  const { bucket, objects, requests, headers } = await faultyStore([{ cut: 4 }]);
  objects.set("k", Buffer.from("0123456789"));
  expect((await getObject(bucket, "k", { maxSize: 10 }))?.toString()).toBe("0123456789");
  expect(requests).toHaveLength(2);
  expect(headers[1]!.range).toBe("bytes=4-");
  await expect(getObject(bucket, "k", { maxSize: 9 })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
});

test("the region is learned from a refusal, and stays known", async () => {
  const wrong = { status: 400, code: "AuthorizationHeaderMalformed", region: "eu-north-1" };
  const { bucket, headers } = await faultyStore([wrong]);
  await putObject(bucket, "k", { body });
  await putObject(bucket, "k", { body });
  const regions = headers.map(({ authorization }) => /Credential=AK\/\d+\/([^/]+)\//.exec(authorization!)![1]);
  expect(regions).toEqual(["us-east-1", "eu-north-1", "eu-north-1"]);
  const stubborn = await faultyStore([wrong, { ...wrong, region: "us-west-2" }]);
  await expect(putObject(stubborn.bucket, "k", { body })).rejects.toMatchObject({
    message: expect.stringContaining("another region: us-west-2"),
  });
});

test("credentials that have expired are asked for again, once, and before they expire", async () => {
  const given: string[] = [];
  const credentials = async () => {
    given.push(`AK${given.length}`);
    return { accessKey: given.at(-1)!, secretKey: "SK", from: "a role", expires: Date.now() + 3_600_000 };
  };
  const expired = { status: 400, code: "ExpiredToken" };
  const { bucket, headers } = await faultyStore([expired], { credentials });
  await putObject(bucket, "k", { body });
  expect(headers.map(({ authorization }) => /Credential=(AK\d)/.exec(authorization!)![1])).toEqual(["AK0", "AK1"]);
  const still = await faultyStore([expired, expired], { credentials });
  await expect(putObject(still.bucket, "k", { body })).rejects.toMatchObject({ code: "CREDENTIALS_REFUSED" });
  const soon = async () => ({ ...(await credentials()), expires: Date.now() + 1000 });
  const short = await faultyStore([], { credentials: soon });
  const before = given.length;
  await putObject(short.bucket, "k", { body });
  await putObject(short.bucket, "k", { body });
  expect(given.length - before).toBeGreaterThan(1);
});

test("an object that was made, with the answer lost, is known as ours", async () => {
  const bytes = Buffer.from("index 1");
  const lost = await faultyStore([undefined, undefined, undefined, { reset: "after" }]);
  expect(await createOnce(lost.bucket, "index/1", { bytes, scratch: "tmp/" })).toBe(true);
  expect(lost.objects.get("index/1")).toEqual(bytes);
  const late = await faultyStore([undefined, undefined, undefined, { reset: "before" }]);
  late.objects.set("index/1", Buffer.from("another"));
  expect(await createOnce(late.bucket, "index/1", { bytes, scratch: "tmp/" })).toBe(false);
  expect([...late.objects.keys()]).toEqual(["index/1"]);
});

test("without credentials nothing is signed", async () => {
  const { bucket, headers, objects } = await faultyStore([], { credentials: async () => undefined });
  objects.set("k", Buffer.from("open to all"));
  expect(await getObject(bucket, "k", { maxSize: 99 })).toHaveLength(11);
  expect(headers[0]!.authorization).toBeUndefined();
  await expect(bucket.presign("k", { seconds: 9 })).rejects.toMatchObject({ code: "OBJECT_DENIED" });
});
