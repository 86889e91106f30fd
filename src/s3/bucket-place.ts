/**
 * What lies below a prefix of a bucket, used as a directory to publish into: files that say their content in their names,
 * small ones that are made once, and small ones that are replaced.
 */
import { hasCode } from "../base/errors.ts";
import type { SweptPlace } from "../base/place.ts";
import { hashFile } from "../store/blobs.ts";
import { type Bucket, bytesPayload } from "./bucket.ts";
import { copyObject } from "./copy-object.ts";
import { createOnce } from "./create-once.ts";
import { deleteObject, getObject, headObject, listObjects, putObject } from "./objects.ts";
import { endUpload, unfinishedUploads, uploadedParts } from "./unfinished-uploads.ts";
import { uploadFile } from "./upload-file.ts";

/** Leases and probes of publishers at work. */
const SCRATCH = ".publishing/";

/** `prefix` without slashes at its ends; may be empty. */
export function bucketPlace(bucket: Bucket, prefix: string): SweptPlace {
  const below = prefix === "" ? "" : `${prefix}/`;
  /** False when there is nothing to copy. */
  const copied = async (from: string, to: string): Promise<boolean> => {
    try {
      await copyObject(bucket, { from: below + from, to: below + to, type: "application/octet-stream" });
      return true;
    } catch (error) {
      if (hasCode(error, "OBJECT_UNKNOWN")) return false;
      throw error;
    }
  };
  return {
    address: `${bucket.label}/${prefix}`.replace(/\/$/, ""),
    read: (name, { maxSize }) => getObject(bucket, below + name, { maxSize }),
    async putFile(name, { local, size }) {
      // A copy onto itself is as new as an upload.
      if ((await headObject(bucket, below + name))?.size === size && (await copied(name, name))) return;
      const { hash } = hashFile(local);
      await uploadFile(bucket, below + name, { file: { local, size, sha256: hash } });
    },
    create: (name, bytes) => createOnce(bucket, below + name, { bytes, scratch: below + SCRATCH }),
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
    async now() {
      await headObject(bucket, `${below}${SCRATCH}now`);
      return bucket.serverTime;
    },
    async *list(folders) {
      for (const at of ["", ...folders.map((folder) => `${folder}/`), SCRATCH, ".swept/"])
        for await (const { key, size, modified } of listObjects(bucket, below + at, { deep: at !== "" }))
          yield { path: key.slice(below.length), size, modified, temporary: at === SCRATCH };
    },
    modified: async (name) => (await headObject(bucket, below + name))?.modified,
    async move(from, to) {
      if (!(await copied(from, to))) return false;
      await deleteObject(bucket, below + from);
      return true;
    },
    async endUploads({ before, isOurs, dryRun }) {
      const ended: string[] = [];
      for (const upload of await unfinishedUploads(bucket, below)) {
        const name = upload.key.slice(below.length);
        if (!isOurs(name)) continue;
        const parts = await uploadedParts(bucket, upload);
        if ([upload.begun, ...[...parts.values()].map(({ modified }) => modified)].some((time) => time >= before))
          continue;
        if (!dryRun) await endUpload(bucket, upload);
        ended.push(name);
      }
      return ended;
    },
  };
}
