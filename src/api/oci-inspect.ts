/** What a name in a registry or layout leads to: type, parts, platforms, and what refers to it. */

import { formatSize } from "../base/size.ts";
import { describePlatform, type OciDescriptor } from "../formats/oci.ts";
import { type OciContent, TITLE } from "../formats/oci-content.ts";
import { parseLocation } from "../oci/reference.ts";
import { listReferrers } from "../oci/referrers.ts";
import { openLocation } from "./oci-places.ts";
import { choose, parsePlatform } from "./oci-pull.ts";
import { type RegistryAccess, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";

export interface OciInspectOptions extends RegistryAccess {
  readonly reference: string;
  readonly platform?: string | undefined;
}

export async function ociInspect(session: Session, options: OciInspectOptions): Promise<Report> {
  const location = parseLocation(options.reference);
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  return withRegistries(session, options, async (open) => {
    const opened = await openLocation(session, { location, open });
    const { document, content } = await choose(opened.source, { root: opened.document, platform, label: opened.label });
    const referrers =
      opened.registry === undefined || location.type !== "registry"
        ? []
        : await listReferrers(opened.registry, { repository: location.reference.repository, hash: document.hash });
    const digest = `sha256:${document.hash}`;
    const parts = content.kind === "index" ? content.manifests : content.layers;
    return {
      data: {
        name: opened.label,
        digest,
        mediaType: document.mediaType,
        size: document.size,
        kind: kindOf(content),
        ...(content.artifactType !== undefined && { artifactType: content.artifactType }),
        annotations: Object.fromEntries(content.annotations),
        ...(content.kind === "manifest" && { config: describe(content.config) }),
        [content.kind === "index" ? "manifests" : "layers"]: parts.map(describe),
        referrers: referrers.map(describe),
      },
      text: [
        alignColumns([
          ["name", opened.label],
          ["digest", digest],
          ["what", content.artifactType ?? kindOf(content)],
          ...[...content.annotations].map(([name, value]) => [name, value]),
        ]),
        ...section(
          content.kind === "index" ? "images" : content.artifactType === undefined ? "layers" : "files",
          parts,
        ),
        ...section("referred to by", referrers),
      ].join("\n"),
      quiet: digest,
    };
  });
}

const kindOf = (content: OciContent): string =>
  content.kind === "index" ? "index" : content.artifactType === undefined ? "image" : "artifact";

function section(title: string, descriptors: readonly OciDescriptor[]): readonly string[] {
  if (descriptors.length === 0) return [];
  const rows = descriptors.map((one) => [
    `  ${one.annotations.get(TITLE) ?? (one.platform === undefined ? "" : describePlatform(one.platform))}`,
    `sha256:${one.hash.slice(0, 12)}`,
    formatSize(one.size),
    one.artifactType ?? one.mediaType,
  ]);
  return [title, alignColumns(rows)];
}

const describe = ({ mediaType, hash, size, platform, artifactType, annotations }: OciDescriptor) => ({
  mediaType,
  digest: `sha256:${hash}`,
  size,
  ...(platform !== undefined && { platform: describePlatform(platform) }),
  ...(artifactType !== undefined && { artifactType }),
  ...(annotations.size > 0 && { annotations: Object.fromEntries(annotations) }),
});
