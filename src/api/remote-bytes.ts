/** Bytes that are pinned and lie where no plain download reaches: in an object store, a registry or a release. The clients are loaded when asked. */
import { catalogRepository } from "../catalog/catalog-address.ts";
import type { RemotePlace } from "../source/fetch.ts";
import type { Project } from "./project.ts";

/** The caller checks the digest. */
export async function* remoteBytes(
  project: Pick<Project, "session" | "config">,
  { url, sha256, size, ...channels }: RemotePlace,
): AsyncGenerator<Uint8Array> {
  if (url.startsWith("github:")) {
    const { openReleaseFile } = await import("./github-place.ts");
    yield* (await openReleaseFile({ ...project.session, ...channels }, url)).bytes();
    return;
  }
  if (/^oci:.*@sha256:/.test(url)) {
    yield* (await import("./registry-files.ts")).publishedBytes(project, { url, sha256, size, ...channels });
    return;
  }
  const repository = catalogRepository(url);
  if (repository === undefined) {
    yield* (await import("./buckets.ts")).objectBytes(project, { url, size, ...channels });
    return;
  }
  const { layerBytes } = await import("./registry-images.ts");
  yield* layerBytes(project, { image: repository, layer: { hash: sha256, size }, ...channels });
}
