/** Pulls an artifact's files, or an image as an OCI layout. */
import path from "node:path";
import { BootwrightError, hasCode } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { choosePlatform, describePlatform, type OciDescriptor, type OciPlatform } from "../formats/oci.ts";
import { type OciContent, parseOciContent } from "../formats/oci-content.ts";
import { artifactFiles, pullFile } from "../oci/artifact.ts";
import type { ContentSource } from "../oci/content.ts";
import { copyContent } from "../oci/copy.ts";
import type { Document } from "../oci/manifests.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { openRepository, type Repository } from "../oci/repository.ts";
import { layoutTargetAt } from "./oci-places.ts";
import { type RegistryAccess, showCopying, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";

export interface OciPullOptions extends RegistryAccess {
  readonly reference: string;
  /** A directory; for an image also a tar. Default: here for an artifact, the repository's name for an image. */
  readonly to?: string | undefined;
  /** "linux/arm64": of several images this one. */
  readonly platform?: string | undefined;
  /** Files that are there with other bytes. */
  readonly replace: boolean;
}

export async function ociPull(session: Session, options: OciPullOptions): Promise<Report> {
  const reference = parseReference(options.reference);
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  return withRegistries(session, options, async (open) => {
    const repository = openRepository(open(reference.host), reference);
    const label = formatReference(reference);
    const root = await repository.resolve(reference);
    const { document, content } = await choose(repository, { root, platform, label });
    const about = { reference: `${label.replace(/@.*/, "")}@sha256:${root.hash}`, digest: `sha256:${document.hash}` };
    if (content.kind === "manifest" && content.artifactType !== undefined)
      return pullArtifact(session, { ...options, content, source: repository, about });
    const to = path.resolve(session.cwd, options.to ?? path.posix.basename(reference.repository));
    const target = await layoutTargetAt(to);
    try {
      const tag = reference.tag ?? "latest";
      const on = showCopying(session, "pull");
      const { sent } = await copyContent(document, { from: repository, to: target, tag, on, signal: session.signal });
      await target.finish();
      const shown = path.relative(session.cwd, to) || ".";
      return {
        data: { ...about, layout: to, files: [] },
        text: shown,
        quiet: about.digest,
        summary: `pulled ${formatSize(sent)} into an OCI layout\nnext: from: [{ oci: "./${shown}" }] in a tree`,
      };
    } catch (error) {
      await target.abandon();
      throw error;
    }
  });
}

async function pullArtifact(
  session: Session,
  {
    content,
    source,
    about,
    ...options
  }: OciPullOptions & {
    content: Extract<OciContent, { kind: "manifest" }>;
    source: ContentSource;
    about: { reference: string; digest: string };
  },
): Promise<Report> {
  const dir = path.resolve(session.cwd, options.to ?? ".");
  const on = showCopying(session, "pull");
  const files = [];
  for (const one of artifactFiles(content, about.reference)) {
    session.signal.throwIfAborted();
    const { descriptor } = one;
    on({ type: "start", descriptor });
    const progress = (done: number) => on({ type: "progress", descriptor, done });
    const pulled = await pullFile(one, { source, dir, replace: options.replace, progress });
    on({ type: "done", descriptor, how: pulled.known ? "present" : "uploaded" });
    files.push(pulled);
  }
  return {
    data: {
      ...about,
      artifactType: content.artifactType ?? "",
      files: files.map(({ file, hash, size, known }) => ({ file, digest: `sha256:${hash}`, size, known })),
    },
    text: files
      .map(
        ({ file, hash, size }) =>
          `${path.relative(session.cwd, file)}  ${formatSize(size)}  sha256:${hash.slice(0, 12)}`,
      )
      .join("\n"),
    quiet: about.digest,
  };
}

/** The document for a platform; without one, the document itself. Throws UNSUPPORTED with what there is. */
export async function choose(
  source: Pick<Repository, "document">,
  { root, platform, label }: { root: Document; platform: OciPlatform | undefined; label: string },
): Promise<{ document: Document; content: OciContent }> {
  const content = parseOciContent(root.bytes, root.mediaType, label);
  if (content.kind === "manifest") return { document: root, content };
  if (platform === undefined) {
    if (content.manifests.every(({ artifactType }) => artifactType === undefined)) return { document: root, content };
    throw new BootwrightError("USAGE", `${label} has files for ${platformsOf(content.manifests)}`, {
      hint: "say which: --platform linux/amd64",
    });
  }
  const chosen = chooseIn(content.manifests, { platform, label });
  const document = await source.document(chosen);
  return { document, content: parseOciContent(document.bytes, document.mediaType, label) };
}

function chooseIn(
  manifests: readonly OciDescriptor[],
  { platform, label }: { platform: OciPlatform; label: string },
): OciDescriptor {
  const described = manifests.flatMap((descriptor) =>
    descriptor.platform === undefined || descriptor.platform.os === "unknown"
      ? []
      : [{ descriptor, platform: descriptor.platform }],
  );
  const exact = described.find((one) => describePlatform(one.platform) === describePlatform(platform));
  if (exact !== undefined) return exact.descriptor;
  try {
    return choosePlatform(described, platform, label).descriptor;
  } catch (error) {
    if (!hasCode(error, "UNSUPPORTED") || described.length === 0) throw error;
    throw new BootwrightError("UNSUPPORTED", (error as Error).message, {
      hint: `--platform ${describePlatform(described[0]!.platform)}`,
    });
  }
}

const platformsOf = (manifests: readonly OciDescriptor[]): string =>
  manifests.flatMap(({ platform }) => (platform === undefined ? [] : [describePlatform(platform)])).join(", ");

/** "linux/arm64", "linux/arm/v7". Throws USAGE. */
export function parsePlatform(text: string): OciPlatform {
  const [, os, architecture, variant] = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text) ?? [];
  if (os === undefined || architecture === undefined)
    throw new BootwrightError("USAGE", `${JSON.stringify(text)} is no platform`, {
      hint: "such as: --platform linux/arm64",
    });
  return { os, architecture, ...(variant !== undefined && { variant }) };
}
