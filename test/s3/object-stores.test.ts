/** The object store client against real servers: Ceph's gateway, and Swift, which has no conditional writes. */
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BootwrightError } from "../../src/base/errors.ts";
import type { SweptPlace } from "../../src/base/place.ts";
import { SWEPT_AFTER } from "../../src/base/sweep.ts";
import { SeenSerials } from "../../src/catalog/seen.ts";
import { sweepCatalog } from "../../src/catalog/sweep-catalog.ts";
import { sweepFiles } from "../../src/publish/sweep.ts";
import { Bucket, type BucketOptions, bytesPayload } from "../../src/s3/bucket.ts";
import { bucketPlace } from "../../src/s3/bucket-place.ts";
import { copyObject } from "../../src/s3/copy-object.ts";
import { createOnce } from "../../src/s3/create-once.ts";
import {
  deleteObject,
  getObject,
  headObject,
  listObjects,
  type ObjectInfo,
  putObject,
  readObject,
} from "../../src/s3/objects.ts";
import { endUpload, unfinishedUploads } from "../../src/s3/unfinished-uploads.ts";
import { uploadFile } from "../../src/s3/upload-file.ts";
import { type S3Server, startCeph } from "../servers/ceph.ts";
import { startSwift } from "../servers/swift.ts";
import { temporaryDir } from "../support/test-session.ts";
import { publishAndPull } from "./published.ts";

const MIB = 1024 * 1024;
/** Names that a client has to encode, and that others have got wrong. */
const ODD_NAMES = [
  "plain",
  "with space",
  "a+b&c=d",
  "umläut/日本語",
  "per%20cent",
  "dots...txt",
  "quote'(*)!~",
  "q?x#y;z",
];

describe.each([
  { name: "Ceph", start: startCeph, anonymous: "OBJECT_DENIED" },
  // Without a signature it takes a request for one of its own protocol.
  { name: "Swift", start: startSwift, anonymous: "OBJECT_REFUSED" },
])("$name", ({ start, anonymous }) => {
  let server: S3Server;
  let sdk: S3Client;
  let bucket: Bucket;

  const open = (options: Partial<BucketOptions> = {}) => openBucket(server, options);

  afterAll(() => server?.stop());
  beforeAll(async () => {
    server = await start(temporaryDir("bootwright-s3-"));
    sdk = awsClient(server);
    await sdk.send(new CreateBucketCommand({ Bucket: "releases" }));
    bucket = open();
  });

  test.each(ODD_NAMES)("an object named %j is what the AWS SDK reads, and the other way round", async (key) => {
    const bytes = randomBytes(1000);
    await putObject(bucket, key, { body: bytesPayload(bytes), type: "application/x-test" });
    const theirs = await sdk.send(new GetObjectCommand({ Bucket: "releases", Key: key }));
    expect(theirs.ContentType).toBe("application/x-test");
    expect(Buffer.from(await theirs.Body!.transformToByteArray()).equals(bytes)).toBe(true);
    await sdk.send(new PutObjectCommand({ Bucket: "releases", Key: `sdk/${key}`, Body: "by the SDK" }));
    expect((await getObject(bucket, `sdk/${key}`, { maxSize: 100 }))?.toString()).toBe("by the SDK");
    expect(await headObject(bucket, `sdk/${key}`)).toMatchObject({ key: `sdk/${key}`, size: 10 });
  });

  test("look, range, copy, delete; what is not there", async () => {
    const bytes = randomBytes(5000);
    await putObject(bucket, "a b/one", { body: bytesPayload(bytes) });
    const md5 = createHash("md5").update(bytes).digest("hex");
    expect(await headObject(bucket, "a b/one")).toMatchObject({ size: 5000, etag: md5 });
    await copyObject(bucket, { from: "a b/one", to: "a b/two" });
    const rest: Uint8Array[] = [];
    for await (const chunk of readObject(bucket, "a b/two", { from: 4000, size: 5000 })) rest.push(chunk);
    expect(Buffer.concat(rest).equals(bytes.subarray(4000))).toBe(true);
    await deleteObject(bucket, "a b/two");
    await deleteObject(bucket, "a b/two");
    expect(await headObject(bucket, "a b/two")).toBeUndefined();
    expect(await getObject(bucket, "a b/two", { maxSize: 9 })).toBeUndefined();
    await expect(getObject(bucket, "a b/one", { maxSize: 9 })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    await expect(copyObject(bucket, { from: "nothing", to: "x" })).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    await expect(getObject(bucket, "a/../b", { maxSize: 9 })).rejects.toMatchObject({ code: "PATH_UNSAFE" });
  });

  test("a listing of many pages is the SDK's", async () => {
    const keys = Array.from(
      { length: 45 },
      (_, i) => `many/${String(i).padStart(5, "0")}${i % 9 === 0 ? " +ä&<>" : ""}`,
    );
    await Promise.all(keys.map((key) => putObject(bucket, key, { body: bytesPayload(Buffer.from(key)) })));
    const ours = await listing(bucket, "many/", 20);
    expect(ours.map(({ key }) => key)).toEqual(keys);
    const theirs = await sdk.send(new ListObjectsV2Command({ Bucket: "releases", Prefix: "many/" }));
    expect(ours.map(({ key, size, etag }) => ({ key, size, etag }))).toEqual(
      theirs.Contents!.map(({ Key, Size, ETag }) => ({ key: Key, size: Size, etag: ETag!.replaceAll('"', "") })),
    );
    expect(await listing(bucket, "no such prefix/")).toEqual([]);
  });

  test("a file goes in parts; one that was cut off goes on where it was, or is forgotten", async () => {
    const file = localFile(11 * MIB + 17);
    await uploadFile(bucket, "big", { file, partSize: 5 * MIB });
    expect(await digestOfObject(bucket, "big")).toBe(file.sha256);

    const upload = await sdk.send(new CreateMultipartUploadCommand({ Bucket: "releases", Key: "resumed" }));
    const half = { Bucket: "releases", Key: "resumed", UploadId: upload.UploadId! };
    const bytes = fs.readFileSync(file.local);
    await sdk.send(new UploadPartCommand({ ...half, PartNumber: 2, Body: bytes.subarray(5 * MIB, 10 * MIB) }));
    // Of another file: it must not be taken over.
    await sdk.send(new UploadPartCommand({ ...half, PartNumber: 1, Body: randomBytes(5 * MIB) }));
    const sent: string[] = [];
    const counted = open({ emit: () => {} });
    const send = counted.send.bind(counted);
    counted.send = (request) => {
      if (request.method === "PUT") sent.push(request.query?.partNumber ?? "");
      return send(request);
    };
    await uploadFile(counted, "resumed", { file, partSize: 5 * MIB });
    expect(sent.sort()).toEqual(["1", "3"]);
    expect(await digestOfObject(bucket, "resumed")).toBe(file.sha256);

    await sdk.send(new CreateMultipartUploadCommand({ Bucket: "releases", Key: "forgotten" }));
    for (const one of await unfinishedUploads(bucket, "forgotten")) await endUpload(bucket, one);
    const left = await sdk.send(new ListMultipartUploadsCommand({ Bucket: "releases" }));
    expect(left.Uploads ?? []).toEqual([]);
    expect(await headObject(bucket, "forgotten")).toBeUndefined();
  });

  test("what is too large for one copy is copied in parts, of one object or not at all", async () => {
    const file = localFile(11 * MIB + 17);
    await uploadFile(bucket, "large", { file });
    const counted = open();
    const send = counted.send.bind(counted);
    const ranges: string[] = [];
    counted.send = async (request) => {
      const range = request.headers?.["x-amz-copy-source-range"];
      if (range !== undefined) ranges.push(range);
      return send(request);
    };
    await copyObject(counted, { from: "large", to: "copies/large" }, { most: 5 * MIB });
    expect(ranges).toEqual(["bytes=0-5242879", "bytes=5242880-10485759", "bytes=10485760-11534352"]);
    expect(await digestOfObject(bucket, "copies/large")).toBe(file.sha256);

    // Replaced by somebody else after the first part.
    counted.send = async (request) => {
      if (request.query?.partNumber === "2")
        await putObject(bucket, "large", { body: bytesPayload(randomBytes(11 * MIB)) });
      return send(request);
    };
    await expect(copyObject(counted, { from: "large", to: "copies/mixed" }, { most: 5 * MIB })).rejects.toMatchObject({
      code: "OBJECT_REFUSED",
    });
    expect(await headObject(bucket, "copies/mixed")).toBeUndefined();
    const left = await sdk.send(new ListMultipartUploadsCommand({ Bucket: "releases" }));
    expect(left.Uploads ?? []).toEqual([]);
  });

  test("an upload that somebody ends while another goes on with it is begun anew", async () => {
    const file = localFile(11 * MIB + 17);
    const upload = await sdk.send(new CreateMultipartUploadCommand({ Bucket: "releases", Key: "ended" }));
    const own = open();
    const send = own.send.bind(own);
    let ended = false;
    own.send = async (request) => {
      if (request.query?.partNumber === "2" && !ended) {
        ended = true;
        await endUpload(bucket, { key: "ended", id: upload.UploadId! });
      }
      return send(request);
    };
    await uploadFile(own, "ended", { file, partSize: 5 * MIB });
    expect([ended, await digestOfObject(bucket, "ended")]).toEqual([true, file.sha256]);
    expect(await unfinishedUploads(bucket, "ended")).toEqual([]);
  });

  test("what dead publishers have left below a prefix is swept when it is a day old", async () => {
    const place = bucketPlace(bucket, "swept");
    const later: SweptPlace = { ...place, now: async () => (await place.now()) + SWEPT_AFTER + 60_000 };
    const sweep = (where: SweptPlace) => sweepFiles(where, { beside: [], signal: bucket.signal, dryRun: false });
    const names = () => listing(bucket, "swept/").then((all) => all.map(({ key }) => key.slice("swept/".length)));
    const file = localFile(6 * MIB);
    const content = `files/sha256-${file.sha256}.kernel.efi`;
    await place.putFile(content, file);
    const others = ["file of others", "others/file", ".publishing/published/1.lease/somebody"];
    for (const name of others) await putObject(bucket, `swept/${name}`, { body: bytesPayload(Buffer.from(name)) });
    const uploads = [0, 1, 2].map((i) => `files/sha256-${String(i).repeat(64)}.kernel.efi`);
    for (const name of [...uploads, "files/of others"])
      await sdk.send(new CreateMultipartUploadCommand({ Bucket: "releases", Key: `swept/${name}` }));
    expect(await sweep(place)).toEqual([]);
    expect((await sweep(later)).map(({ action, path }) => `${action} ${path}`).sort()).toEqual([
      "removed .publishing/published/1.lease/somebody",
      ...uploads.map((name) => `removed ${name}`),
      `set aside ${content}`,
    ]);
    const [aside = "", ...rest] = (await names()).sort();
    expect(aside.replace(/[0-9a-f]{16}\./, "")).toBe(content.replace("files/", ".swept/"));
    expect(rest).toEqual(["file of others", "others/file"]);
    const left = await unfinishedUploads(bucket, "swept/");
    expect(left.map(({ key }) => key)).toEqual(["swept/files/of others"]);
    for (const one of left) await endUpload(bucket, one);
    expect(await place.move(aside, content)).toBe(true);
    expect(await place.move(aside, content)).toBe(false);
    expect(await digestOfObject(bucket, `swept/${content}`)).toBe(file.sha256);

    const before = (await headObject(bucket, `swept/${content}`))!.modified;
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // The server tells whole seconds.
    await place.putFile(content, file);
    expect((await headObject(bucket, `swept/${content}`))!.modified).toBeGreaterThan(before);
    expect(await digestOfObject(bucket, `swept/${content}`)).toBe(file.sha256);
  }, 60_000);

  test("what dead publishers of kernels have left is swept, and nothing of others", async () => {
    const place = bucketPlace(bucket, "kernels");
    const later: SweptPlace = { ...place, now: async () => (await place.now()) + SWEPT_AFTER + 60_000 };
    const file = localFile(MIB);
    const at = (sha256: string) => `bundles/${sha256}.tar.zst`;
    await place.putFile(at(file.sha256), file);
    for (const name of ["bundles/of others", ".publishing/index/1.lease/somebody", "published/1"])
      await putObject(bucket, `kernels/${name}`, { body: bytesPayload(Buffer.from(name)) });
    for (const name of [at("0".repeat(64)), "bundles/of others"])
      await sdk.send(new CreateMultipartUploadCommand({ Bucket: "releases", Key: `kernels/${name}` }));
    const options = { keys: [], seen: new SeenSerials(temporaryDir()), signal: bucket.signal, dryRun: false };
    expect(await sweepCatalog(place, options)).toEqual([]);
    expect((await sweepCatalog(later, options)).map(({ action, path }) => `${action} ${path}`).sort()).toEqual([
      "removed .publishing/index/1.lease/somebody",
      `removed ${at("0".repeat(64))}`,
      `set aside ${at(file.sha256)}`,
    ]);
    const left = await unfinishedUploads(bucket, "kernels/");
    expect(left.map(({ key }) => key)).toEqual(["kernels/bundles/of others"]);
    for (const one of left) await endUpload(bucket, one);
    const names = (await listing(bucket, "kernels/")).map(({ key }) => key.replace(/[0-9a-f]{16}\./, ""));
    expect(names.sort()).toEqual(
      [`.swept/${file.sha256}.tar.zst`, "bundles/of others", "published/1"].map((name) => `kernels/${name}`),
    );
  }, 60_000);

  test("an object is made once, whoever tries", async () => {
    const tries = Array.from({ length: 6 }, (_, i) => ({ bytes: Buffer.from(`publisher ${i}`), own: open() }));
    const won = await Promise.all(tries.map(({ own, bytes }) => createOnce(own, "once/1", { bytes, scratch: "tmp/" })));
    expect(won.filter(Boolean)).toHaveLength(1);
    const winner = tries[won.indexOf(true)]!;
    expect(await getObject(bucket, "once/1", { maxSize: 100 })).toEqual(winner.bytes);
    expect(await createOnce(bucket, "once/1", { bytes: Buffer.from("late"), scratch: "tmp/" })).toBe(false);
    expect(await getObject(bucket, "once/1", { maxSize: 100 })).toEqual(winner.bytes);
    // No lease and no probe is left.
    expect(await listing(bucket, "tmp/")).toEqual([]);
  }, 120_000);

  test("an address that is signed works without credentials, for a while", async () => {
    await putObject(bucket, "for others +1", { body: bytesPayload(Buffer.from("shared")) });
    const url = await bucket.presign("for others +1", { seconds: 60 });
    expect(await (await fetch(url)).text()).toBe("shared");
    expect((await fetch(url.replace("others", "nobody"))).status).toBe(403);
  });

  test("a kernel catalog: two publish at once, a third builds from it, and the secret key is nowhere", async () => {
    await publishAndPull(server);
  }, 300_000);

  test("refusals say who was refused what", async () => {
    const refused = (options: Partial<BucketOptions>) =>
      getObject(open(options), "plain", { maxSize: 10_000 }).then(
        () => expect.unreachable(),
        (error: BootwrightError) => error,
      );
    const wrong = { accessKey: server.accessKey, secretKey: "not this one", from: "AWS_ACCESS_KEY_ID" };
    const unknown = { accessKey: "NOBODY:x", secretKey: "x", from: "profile work" };
    const [badSecret, badKey, nobody, noBucket] = [
      await refused({ credentials: async () => wrong }),
      await refused({ credentials: async () => unknown }),
      await refused({ credentials: async () => undefined }),
      await refused({ name: "no-such-bucket" }),
    ];
    expect(badSecret).toMatchObject({ code: "CREDENTIALS_REFUSED" });
    expect(badSecret.message).toContain(`${server.accessKey} (AWS_ACCESS_KEY_ID)`);
    expect(badKey).toMatchObject({ code: expect.stringMatching(/CREDENTIALS_REFUSED|OBJECT_DENIED/) });
    expect(badKey.message).toContain("NOBODY:x (profile work)");
    expect(nobody).toMatchObject({ code: anonymous, hint: expect.stringContaining("AWS_ACCESS_KEY_ID") });
    expect(noBucket).toMatchObject({
      code: "BUCKET_UNKNOWN",
      message: expect.stringContaining("no bucket no-such-bucket"),
    });
    for (const error of [badSecret, badKey, nobody, noBucket])
      expect(`${error.message} ${error.detail} ${error.hint} ${error.cause}`).not.toMatch(/not this one|SKTEST/);
  });

  test("a host whose clock is wrong goes by the server's", async () => {
    const skewed = open({ clock: () => Date.now() - 3_600_000 });
    expect(await getObject(skewed, "plain", { maxSize: 10_000 })).toHaveLength(1000);
  });
});

function openBucket(server: S3Server, options: Partial<BucketOptions>): Bucket {
  const { endpoint, region, accessKey, secretKey } = server;
  return new Bucket({
    ...{ name: "releases", endpoint, region, addressing: "path", emit: () => {}, signal: new AbortController().signal },
    credentials: async () => ({ accessKey, secretKey, from: "the test" }),
    ...options,
  });
}

function awsClient({ endpoint, region, accessKey, secretKey }: S3Server): S3Client {
  return new S3Client({
    ...{ endpoint, region, forcePathStyle: true },
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

async function listing(bucket: Bucket, prefix: string, page?: number): Promise<readonly ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const one of listObjects(bucket, prefix, page === undefined ? {} : { page })) found.push(one);
  return found;
}

function localFile(size: number): { local: string; size: number; sha256: string } {
  const bytes = randomBytes(size);
  const local = path.join(temporaryDir(), "file");
  fs.writeFileSync(local, bytes);
  return { local, size, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function digestOfObject(bucket: Bucket, key: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of readObject(bucket, key)) hash.update(chunk);
  return hash.digest("hex");
}
