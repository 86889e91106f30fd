/**
 * Many small objects to Ceph's gateway, beside the AWS SDK: the same bytes, the same concurrency, one after the other, and the
 * other way round in the next round. Then one of 1 GiB there and back, and the most memory that a process takes for it.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { closeConnections } from "../src/base/http.ts";
import { Bucket, bytesPayload } from "../src/s3/bucket.ts";
import { putObject } from "../src/s3/objects.ts";
import { hashFile } from "../src/store/blobs.ts";
import { type S3Server, startCeph } from "../test/servers/ceph.ts";
import type { BenchRow } from "./formats.ts";

const OBJECTS = 5000;
const SIZE = 4096;
const AT_ONCE = 16;
const ROUNDS = 3;

/** `dir` is its own. */
export async function rows(dir: string): Promise<BenchRow[]> {
  fs.mkdirSync(dir, { recursive: true });
  const server = await startCeph(dir);
  try {
    const sdk = sdkWriter(server);
    await sdk.makeBucket();
    const writers = { ours: ourWriter(server), theirs: sdk.put };
    const bodies = Array.from({ length: OBJECTS }, () => randomBytes(SIZE));
    const times = { ours: [] as number[], theirs: [] as number[] };
    for (let round = 0; round < ROUNDS; round++)
      for (const who of round % 2 === 0 ? (["ours", "theirs"] as const) : (["theirs", "ours"] as const))
        times[who].push(await writeAll(bodies, (bytes, i) => writers[who](`${who}/${round}/${i}`, bytes)));
    const [ours, theirs] = [times.ours, times.theirs].map((all) => [...all].sort((a, b) => a - b)[1]!) as [
      number,
      number,
    ];
    const note = `${AT_ONCE} at once; bar ${Math.round(theirs)}, their time; theirs: @aws-sdk/client-s3`;
    return [
      { name: "5000 objects of 4 KiB to Ceph", ours, theirs, unit: "ms", note },
      ...(await largeRows(server, path.join(dir, "large"))),
    ];
  } finally {
    await closeConnections();
    await server.stop();
  }
}

/** Bytes. */
const LARGE = 2 ** 30;

async function largeRows(server: S3Server, dir: string): Promise<BenchRow[]> {
  fs.mkdirSync(dir);
  const script = await bundled(dir);
  const made = path.join(dir, "made");
  const noise = randomBytes(2 ** 20);
  const fd = fs.openSync(made, "w");
  for (let at = 0; at < LARGE; at += noise.length) {
    noise.writeUInt32LE(at >>> 20, 0);
    fs.writeSync(fd, noise);
  }
  fs.closeSync(fd);
  const file = path.join(dir, hashFile(made).hash);
  fs.renameSync(made, file);
  return (["upload", "download"] as const).flatMap((way): BenchRow[] => {
    const { ms, memory } = transfer(server, { script, way, file });
    return [
      { name: `1 GiB ${way}, Ceph`, ours: ms, unit: "ms", note: "once, with Node's start" },
      { name: `1 GiB ${way}, Ceph, peak memory`, ours: memory, unit: "MB", note: "bar 160" },
    ];
  });
}

/** As users run it: taking types out needs 40 MB by itself. */
async function bundled(dir: string): Promise<string> {
  const { rolldown } = await import("rolldown");
  await using bundle = await rolldown({
    ...{ input: path.join(import.meta.dirname, "s3-transfer.ts"), platform: "node", external: [/^node:/] },
    checks: { ineffectiveDynamicImport: false },
  });
  const { output } = await bundle.write({ dir: path.join(dir, "bundle"), format: "esm", entryFileNames: "[name].mjs" });
  return path.join(dir, "bundle", output[0].fileName);
}

function transfer(
  { endpoint, region, accessKey, secretKey }: S3Server,
  { script, way, file }: { script: string; way: "upload" | "download"; file: string },
): { ms: number; memory: number } {
  const settings = JSON.stringify({ bench: { endpoint, region, addressing: "path" } });
  const words = [script, way, file, "s3://bench/large", settings];
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
  const began = performance.now();
  const { status, stdout, stderr, error } = spawnSync(process.execPath, words, { env, encoding: "utf8" });
  if (status !== 0) throw error ?? new Error(`${way} ended with ${status}\n${stderr}`);
  return { ms: performance.now() - began, memory: (Number(stdout) * 1024) / 1e6 };
}

async function writeAll(
  bodies: readonly Buffer[],
  put: (bytes: Buffer, i: number) => Promise<unknown>,
): Promise<number> {
  const began = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < bodies.length) {
      const i = next++;
      await put(bodies[i]!, i);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return performance.now() - began;
}

function ourWriter({ endpoint, region, accessKey, secretKey }: S3Server) {
  const bucket = new Bucket({
    ...{ name: "bench", endpoint, region, addressing: "path", emit: () => {}, signal: new AbortController().signal },
    credentials: async () => ({ accessKey, secretKey, from: "the measurement" }),
  });
  return (key: string, bytes: Buffer): Promise<unknown> => putObject(bucket, key, { body: bytesPayload(bytes) });
}

function sdkWriter({ endpoint, region, accessKey, secretKey }: S3Server) {
  const client = new S3Client({
    ...{ endpoint, region, forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" },
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
  return {
    makeBucket: () => client.send(new CreateBucketCommand({ Bucket: "bench" })),
    put: (key: string, bytes: Buffer): Promise<unknown> =>
      client.send(new PutObjectCommand({ Bucket: "bench", Key: key, Body: bytes })),
  };
}
