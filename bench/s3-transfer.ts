/**
 * One file to a bucket or back, by the code that a publication and a fetched source use; a process of its own, whose memory is
 * looked at. `node s3-transfer.ts upload|download FILE s3://BUCKET/KEY SETTINGS`, the last in JSON; it prints the peak in KiB.
 */
import fs from "node:fs";
import path from "node:path";
import { type BucketContext, objectBytes, projectBucketPlace } from "../src/api/buckets.ts";
import { closeConnections } from "../src/base/http.ts";
import { Blobs } from "../src/store/blobs.ts";

const [way, file, url, settings] = process.argv.slice(2) as [string, string, string, string];
const { signal } = new AbortController();
const session = { env: process.env, offline: false, emit: () => {}, signal };
const context = {
  config: { dir: path.dirname(file), buckets: JSON.parse(settings) },
  session,
} as unknown as BucketContext;

if (way === "upload") {
  const { size } = fs.statSync(file);
  await projectBucketPlace(context, path.posix.dirname(url)).putFile(path.posix.basename(url), { local: file, size });
} else {
  const store = fs.mkdtempSync(`${file}.store-`);
  try {
    const { hash } = await new Blobs(store).putStream(objectBytes(context, { url, emit: () => {}, signal }));
    if (hash !== path.basename(file)) throw new Error(`got ${hash}`);
  } finally {
    fs.rmSync(store, { recursive: true });
  }
}
await closeConnections();
// Not getrusage(2)'s peak: that is the parent's at first, and Node's fork of a large one is large.
process.stdout.write(/^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync("/proc/self/status", "utf8"))![1]!);
