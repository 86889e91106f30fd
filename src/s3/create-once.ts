/**
 * Makes an object that must not be there yet, whole or not at all, with one winner when several try. By a conditional write
 * where the server has them; else under a lease. See docs/decisions/0025-object-stores.md.
 */
import { randomUUID } from "node:crypto";
import { type Bucket, bytesPayload } from "./bucket.ts";
import { withLease } from "./lease.ts";
import { deleteObject, getObject, headObject, putObject } from "./objects.ts";

/** What is known of servers' conditional writes; one answer serves the process. */
const conditional = new WeakMap<Bucket, Promise<boolean>>();

/** False when something is there already. `scratch`: a prefix of names that nobody else uses. */
export async function createOnce(
  bucket: Bucket,
  key: string,
  { bytes, type, scratch }: { readonly bytes: Uint8Array; readonly type?: string; readonly scratch: string },
): Promise<boolean> {
  let known = conditional.get(bucket);
  if (known === undefined) {
    known = hasConditions(bucket, scratch);
    conditional.set(bucket, known);
  }
  const body = bytesPayload(bytes);
  const options = { body, ...(type !== undefined && { type }) };
  if (await known) {
    const { response, repeated } = await putObject(bucket, key, { ...options, ifAbsent: true });
    if (response.status < 300) return true;
    // The first try may have come through with its answer lost: then what is there is ours.
    return repeated && isSame(await getObject(bucket, key, { maxSize: bytes.length }).catch(() => undefined), bytes);
  }
  return withLease(bucket, `${scratch}${key}.lease/`, async () => {
    if ((await headObject(bucket, key)) !== undefined) return false;
    await putObject(bucket, key, options);
    return true;
  });
}

/** Some servers say that they have none; some take the header and write all the same. */
async function hasConditions(bucket: Bucket, scratch: string): Promise<boolean> {
  const key = `${scratch}probe-${randomUUID()}`;
  const body = bytesPayload(Buffer.from("Whether this server has conditional writes.\n"));
  try {
    const first = await putObject(bucket, key, { body, ifAbsent: true });
    if (first.response.status === 501) return false;
    const second = await putObject(bucket, key, { body, ifAbsent: true });
    return second.response.status === 412 || second.response.status === 409;
  } finally {
    await deleteObject(bucket, key);
  }
}

const isSame = (there: Buffer | undefined, bytes: Uint8Array): boolean => there?.equals(bytes) ?? false;
