/** Opens what `to` of a publication names. The clients are loaded when asked. */
import { BootwrightError } from "../base/errors.ts";
import { placeTarget } from "../publish/place-target.ts";
import type { PublishTarget } from "../publish/target.ts";
import { openSwept } from "./places.ts";
import type { Project } from "./project.ts";

/** Throws OFFLINE. */
export async function publishTarget(project: Project, to: string): Promise<PublishTarget> {
  if (to.startsWith("oci://")) return (await import("./publish-registry.ts")).registryTarget(project, to);
  const place = await openSwept(project, to);
  if (place !== undefined) return placeTarget(place);
  throw new BootwrightError("UNSUPPORTED", `${to} is an address to read only`);
}
