/** Opens the places that a project publishes to and reads what was published from. The clients are loaded when asked. */
import { directoryPlace } from "../base/directory-place.ts";
import { BootwrightError } from "../base/errors.ts";
import { shownUrl } from "../base/http.ts";
import type { Place, ReadablePlace, SweptPlace } from "../base/place.ts";
import { catalogDirectory, catalogRepository } from "../catalog/catalog-address.ts";
import { webSource } from "../catalog/web-source.ts";
import type { Project } from "./project.ts";

/** A directory, `s3://BUCKET/PREFIX` or `oci://HOST/NAME`; undefined for an address that can only be read. Throws OFFLINE, UNSUPPORTED. */
export async function openPlace(project: Project, url: string): Promise<Place | undefined> {
  if (url.startsWith("github:"))
    throw new BootwrightError("UNSUPPORTED", `${url}: releases of GitHub hold published files, nothing else`, {
      hint: "name a directory, s3://BUCKET/PREFIX or oci://HOST/NAME",
    });
  if (catalogRepository(url) !== undefined) return (await import("./registry-images.ts")).registryPlace(project, url);
  return openSwept(project, url);
}

/** A directory or `s3://BUCKET/PREFIX`; undefined for another address. Throws OFFLINE. */
export async function openSwept(project: Project, url: string): Promise<SweptPlace | undefined> {
  if (url.startsWith("s3://")) return (await import("./buckets.ts")).projectBucketPlace(project, url);
  const dir = catalogDirectory(url, project.config.dir);
  return dir === undefined ? undefined : directoryPlace(dir);
}

/** The same, and what a web server serves: a directory that was published to. Throws OFFLINE. */
export async function openReadable(project: Project, url: string): Promise<ReadablePlace> {
  const place = await openPlace(project, url);
  if (place !== undefined) return place;
  const { session } = project;
  if (session.offline) throw new BootwrightError("OFFLINE", `${shownUrl(url)} would be asked, which --offline forbids`);
  return webSource(url.replace(/\/+$/, ""), session);
}

/** For who only reads; each write throws UNSUPPORTED. */
export function readOnly(place: ReadablePlace): Place {
  const refuse = async (): Promise<never> => {
    throw new BootwrightError("UNSUPPORTED", `${shownUrl(place.address)} is there to read`, {
      hint: "what is to be written is named as a directory, s3://BUCKET/PREFIX or oci://HOST/NAME",
    });
  };
  return {
    ...{ address: place.address, read: (name, options) => place.read(name, options) },
    ...{ putFile: refuse, create: refuse, replace: refuse, stat: refuse, link: refuse, remove: refuse },
  };
}
