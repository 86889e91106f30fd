/** Opens buckets for a project: as its config says, with this user's credentials. Loaded only where an address is `s3://…`. */
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import type { SweptPlace } from "../base/place.ts";
import { keepYoungSpaceSmall } from "../base/short-lived-memory.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { parseS3Address } from "../s3/address.ts";
import type { Bucket } from "../s3/bucket.ts";
import { bucketPlace } from "../s3/bucket-place.ts";
import { readObject } from "../s3/objects.ts";
import { openBucket } from "../s3/open-bucket.ts";
import type { Session } from "./session.ts";

/** Buckets that no config knows are where the environment says. */
export interface BucketContext {
  readonly config: Pick<ResolvedConfig, "buckets" | "dir">;
  readonly session: Session;
}

/** Throws OFFLINE, PATH_MISSING. */
export function projectBucketPlace({ config, session }: BucketContext, url: string): SweptPlace {
  if (session.offline) throw new BootwrightError("OFFLINE", `${url} would be asked, which --offline forbids`);
  const { bucket, prefix } = parseS3Address(url);
  return bucketPlace(projectBucket({ config, session }, bucket), prefix);
}

/** An object's bytes. The caller checks the digest. */
export async function* objectBytes(
  { config, session }: BucketContext,
  { url, size, ...channels }: { url: string; size?: number; emit: Emit; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { bucket, prefix } = parseS3Address(url);
  yield* readObject(projectBucket({ config, session: { ...session, ...channels } }, bucket), prefix, {
    ...(size !== undefined && { size }),
  });
}

function projectBucket({ config, session }: BucketContext, name: string): Bucket {
  const { env, emit, signal } = session;
  keepYoungSpaceSmall();
  return openBucket(name, { settings: config.buckets[name], projectDir: config.dir, ...{ env, emit, signal } });
}
