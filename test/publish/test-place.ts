/** The three kinds of places, opened for tests without a project. */
import { repositoryTarget } from "../../src/api/publish-registry.ts";
import { systemClock } from "../../src/base/clock.ts";
import { directoryPlace } from "../../src/base/directory-place.ts";
import { silent } from "../../src/base/events.ts";
import type { SweptPlace } from "../../src/base/place.ts";
import { Registry } from "../../src/oci/registry.ts";
import { repositoryPlace } from "../../src/oci/repository-place.ts";
import { placeTarget } from "../../src/publish/place-target.ts";
import type { PublishTarget } from "../../src/publish/target.ts";
import { Bucket } from "../../src/s3/bucket.ts";
import { bucketPlace } from "../../src/s3/bucket-place.ts";
import { hashFile } from "../../src/store/blobs.ts";

export type TestPlace =
  | { readonly type: "directory"; readonly dir: string }
  | {
      readonly type: "bucket";
      readonly endpoint: string;
      readonly region: string;
      readonly accessKey: string;
      readonly secretKey: string;
      readonly prefix: string;
    }
  | { readonly type: "registry"; readonly host: string; readonly repository: string };

export function openTestTarget(place: TestPlace, later = 0): PublishTarget {
  const { signal } = new AbortController();
  if (place.type === "registry") {
    const { host, repository } = place;
    const registry = new Registry(host, { credentials: async () => undefined, plainHttp: true, signal });
    const clock = { ...systemClock, now: () => systemClock.now() + later };
    const documents = repositoryPlace(registry, { repository, hashOf: hashFile, clock });
    return repositoryTarget(registry, { repository, documents, signal });
  }
  return placeTarget(openTestPlace(place));
}

/** A registry is no such place. */
export function openTestPlace(place: TestPlace): SweptPlace {
  const { signal } = new AbortController();
  if (place.type === "directory") return directoryPlace(place.dir);
  if (place.type === "registry") throw new Error("a registry does not tell what lies there");
  const { endpoint, region, accessKey, secretKey, prefix } = place;
  const credentials = async () => ({ accessKey, secretKey, from: "the test" });
  const bucket = new Bucket({
    ...{ name: "releases", endpoint, region, addressing: "path" as const, credentials },
    ...{ emit: silent, signal },
  });
  return bucketPlace(bucket, prefix);
}

/** So long that a file is not written by one call. */
export const contentOf = (version: string, who: string): string => `kernel ${version}${who}\n`.padEnd(200_000, "x");
