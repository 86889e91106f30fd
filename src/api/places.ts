/** Opens the places that a project publishes to and reads what was published from. The clients are loaded when asked. */
import { directoryPlace } from "../base/directory-place.ts";
import type { Place } from "../base/place.ts";
import { catalogDirectory, catalogRepository } from "../catalog/catalog-address.ts";
import type { Project } from "./project.ts";

/** A directory, `s3://BUCKET/PREFIX` or `oci://HOST/NAME`; undefined for an address that can only be read. Throws OFFLINE. */
export async function openPlace(project: Project, url: string): Promise<Place | undefined> {
  if (url.startsWith("s3://")) return (await import("./buckets.ts")).projectBucketPlace(project, url);
  if (catalogRepository(url) !== undefined) return (await import("./registry-images.ts")).registryPlace(project, url);
  const dir = catalogDirectory(url, project.config.dir);
  return dir === undefined ? undefined : directoryPlace(dir);
}
