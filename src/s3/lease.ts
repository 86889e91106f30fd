/**
 * A lease on a name, for servers without conditional writes: who wants it writes an object of its own below the name, and has
 * it when, by the server's clock, nobody else's object there is older and still counts. An object counts for a minute, so the
 * lease of a publisher that was killed ends by itself.
 */
import { randomInt, randomUUID } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { type Bucket, bytesPayload } from "./bucket.ts";
import { deleteObject, listObjects, type ObjectInfo, putObject } from "./objects.ts";

/** How long an object counts, in milliseconds by the server's clock. */
const LASTS = 60_000;
/** Listings may lag behind writes. */
const SETTLE = 1_000;
const ATTEMPTS = 60;

/**
 * Runs `work` while nobody else runs theirs. It has to end within half a minute: later the lease may be another's. Throws STORE_LOCKED
 * when others hold it all the time.
 */
export async function withLease<T>(bucket: Bucket, prefix: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const own = `${prefix}${randomUUID()}`;
    const since = systemClock.now();
    await putObject(bucket, own, { body: bytesPayload(Buffer.from("A publisher at work.\n")) });
    try {
      await systemClock.sleep(SETTLE, bucket.signal);
      if ((await isFirst(bucket, { prefix, own })) && systemClock.now() - since < LASTS / 2) return await work();
    } finally {
      await deleteObject(bucket, own);
    }
    // Not in step with whoever else is waiting.
    await systemClock.sleep(SETTLE + randomInt(2 * SETTLE), bucket.signal);
  }
  throw new BootwrightError("STORE_LOCKED", `${bucket.label}/${prefix}: others publish all the time`, {
    hint: "try again",
  });
}

async function isFirst(bucket: Bucket, { prefix, own }: { prefix: string; own: string }): Promise<boolean> {
  const all: ObjectInfo[] = [];
  for await (const one of listObjects(bucket, prefix)) all.push(one);
  const mine = all.find(({ key }) => key === own);
  if (mine === undefined) return false;
  const others = all.filter(({ key }) => key !== own);
  for (const one of others) if (mine.modified - one.modified > LASTS) await deleteObject(bucket, one.key);
  return others.every((one) => mine.modified - one.modified > LASTS || isBefore(mine, one));
}

/** The server gives times in whole seconds or finer; of two at the same time, the name decides. */
const isBefore = (a: ObjectInfo, b: ObjectInfo): boolean =>
  a.modified !== b.modified ? a.modified < b.modified : a.key < b.key;
