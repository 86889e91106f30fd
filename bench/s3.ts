/**
 * Many small objects to Ceph's gateway, beside the AWS SDK: the same bytes, the same concurrency, one after the other, and the
 * other way round in the next round.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { closeConnections } from "../src/base/http.ts";
import { Bucket, bytesPayload } from "../src/s3/bucket.ts";
import { putObject } from "../src/s3/objects.ts";
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
    return [{ name: "5000 objects of 4 KiB to Ceph", ours, theirs, unit: "ms", note }];
  } finally {
    await closeConnections();
    await server.stop();
  }
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
