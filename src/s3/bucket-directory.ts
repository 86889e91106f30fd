/**
 * What lies below a prefix of a bucket, used as a directory to publish into: files that say their content in their names,
 * small ones that are made once, and small ones that are replaced.
 */
import { hashFile } from "../store/blobs.ts";
import { type Bucket, bytesPayload } from "./bucket.ts";
import { createOnce } from "./create-once.ts";
import { getObject, headObject, putObject } from "./objects.ts";
import { uploadFile } from "./upload-file.ts";

export interface BucketDirectory {
  /** "s3://BUCKET/PREFIX", for people. */
  readonly address: string;
  /** Undefined when there is none. Throws LIMIT_EXCEEDED over `maxSize` bytes. */
  read(name: string, options: { readonly maxSize: number }): Promise<Buffer | undefined>;
  /** What is there already in the right size stays. */
  putFile(name: string, file: { readonly local: string; readonly size: number }): Promise<void>;
  /** False when something is there already. */
  create(name: string, bytes: Uint8Array): Promise<boolean>;
  replace(name: string, bytes: Uint8Array): Promise<void>;
}

/** `prefix` without slashes at its ends; may be empty. */
export function bucketDirectory(bucket: Bucket, prefix: string): BucketDirectory {
  const below = prefix === "" ? "" : `${prefix}/`;
  return {
    address: `${bucket.label}/${prefix}`.replace(/\/$/, ""),
    read: (name, { maxSize }) => getObject(bucket, below + name, { maxSize }),
    async putFile(name, { local, size }) {
      if ((await headObject(bucket, below + name))?.size === size) return;
      const { hash } = hashFile(local);
      await uploadFile(bucket, below + name, { file: { local, size, sha256: hash } });
    },
    create: (name, bytes) => createOnce(bucket, below + name, { bytes, scratch: `${below}.publishing/` }),
    async replace(name, bytes) {
      await putObject(bucket, below + name, { body: bytesPayload(bytes), cacheControl: "no-cache" });
    },
  };
}
