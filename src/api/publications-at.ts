/** What is published at an address of any kind. */
import { type Publications, readPublications } from "../publish/read.ts";
import { openReadable } from "./places.ts";
import type { Project } from "./project.ts";

/** `address`: what the files' own addresses begin with. Throws OFFLINE, and what reading there throws. */
export async function publicationsAt(
  project: Project,
  to: string,
): Promise<Publications & { readonly address: string }> {
  if (to.startsWith("github:"))
    return { ...(await (await import("./github-place.ts")).releasesAt(project.session, to)), address: to };
  const place = await openReadable(project, to);
  return { ...(await readPublications(place, project.session.signal)), address: place.address };
}
