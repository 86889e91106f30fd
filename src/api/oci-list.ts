/** Lists a repository's tags, a registry's repositories, a layout's images. */
import path from "node:path";
import { describePlatform, REF_NAME } from "../formats/oci.ts";
import { openLayoutSource } from "../oci/layout-content.ts";
import { parseHost, parseLocation } from "../oci/reference.ts";
import { listRepositories, listTags } from "../oci/tags.ts";
import { type RegistryAccess, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";

export interface OciListOptions extends RegistryAccess {
  /** A registry, a repository or a layout. */
  readonly where: string;
}

export async function ociList(session: Session, options: OciListOptions): Promise<Report> {
  const { where } = options;
  const isHost =
    /^(?:[a-z]+:\/\/)?(?:localhost|[^/]*[.:][^/]*)\/?$/.test(where) && !/^\.|^oci(-archive)?:[^/]/.test(where);
  if (isHost)
    return withRegistries(session, options, async (open) => {
      const repositories = await listRepositories(open(parseHost(where)));
      return { data: { repositories }, text: repositories.join("\n"), quiet: repositories.join("\n") };
    });
  const location = parseLocation(where);
  if (location.type === "registry")
    return withRegistries(session, options, async (open) => {
      const tags = await listTags(open(location.reference.host), location.reference.repository);
      return { data: { tags }, text: tags.join("\n"), quiet: tags.join("\n") };
    });
  const { entries } = openLayoutSource(location.path, path.resolve(session.cwd, location.path));
  const images = entries.map(({ annotations, hash, platform }) => ({
    tag: annotations.get(REF_NAME) ?? "",
    digest: `sha256:${hash}`,
    ...(platform !== undefined && { platform: describePlatform(platform) }),
  }));
  const text = images.map(({ tag, digest }) => `${tag || "(no name)"}  ${digest.slice(0, 19)}`).join("\n");
  return { data: { images }, text, quiet: images.map(({ digest }) => digest).join("\n") };
}
