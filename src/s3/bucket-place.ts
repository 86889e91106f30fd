/**
 * What lies below a prefix of a bucket, used as a directory to publish into: files that say their content in their names,
 * small ones that are made once, and small ones that are replaced.
 */
import type { Place } from "../base/place.ts";
import { hashFile } from "../store/blobs.ts";
import { type Bucket, bytesPayload } from "./bucket.ts";
import { copyObject } from "./copy-object.ts";
import { createOnce } from "./create-once.ts";
import { deleteObject, getObject, headObject, putObject } from "./objects.ts";
import { uploadFile } from "./upload-file.ts";

/** `prefix` without slashes at its ends; may be empty. */
export function bucketPlace(bucket: Bucket, prefix: string): Place {
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
    async stat(name) {
      const there = await headObject(bucket, below + name);
      return there && { size: there.size, sha256: async () => undefined };
    },
    link: (name, from) => copyObject(bucket, { from: below + from, to: below + name }),
    async remove(name) {
      await deleteObject(bucket, below + name);
      return true;
    },
  };
}
