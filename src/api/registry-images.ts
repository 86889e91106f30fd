/** Images in registries as sources of trees: pins them, and brings their layers. Loaded only when a registry is asked. */
import path from "node:path";
import type { Digest } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import type { Place } from "../base/place.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { checkOciDocumentSize, parseOciConfig, parseOciManifest } from "../formats/oci.ts";
import { pullBlob } from "../oci/pull-blob.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import { openRepository } from "../oci/repository.ts";
import { repositoryPlace } from "../oci/repository-place.ts";
import type { LockedImage } from "../source/lock.ts";
import type { ImageRequest } from "../source/request.ts";
import { hashFile } from "../store/blobs.ts";
import { choose } from "./oci-pull.ts";
import type { Project } from "./project.ts";
import { openRegistry } from "./registries.ts";
import type { Session } from "./session.ts";

/** What the reference leads to now, for one platform. Throws REGISTRY_UNKNOWN, UNSUPPORTED, and what a registry refuses. */
export async function pinImage(project: Project, { image, architecture }: ImageRequest): Promise<LockedImage> {
  const reference = parseReference(image);
  const label = formatReference(reference);
  const registry = projectRegistry(project, { host: reference.host });
  const repository = openRepository(registry, reference);
  const root = await repository.resolve(reference);
  const { document } = await choose(repository, { root, platform: { os: "linux", architecture }, label });
  const manifest = parseOciManifest(document.bytes, label);
  checkOciDocumentSize(manifest.config, `${label}: config`);
  const config: Uint8Array[] = [];
  for await (const chunk of pullBlob(registry, manifest.config, reference)) config.push(chunk);
  const { diffIds, os, architecture: found } = parseOciConfig(Buffer.concat(config), `${label}: config`);
  if (os !== "linux" || found !== architecture)
    throw new BootwrightError(
      "UNSUPPORTED",
      `${label} is for ${os}/${found}; this project needs linux/${architecture}`,
      {
        hint: 'the project\'s `arch` decides: "x86_64" is amd64, "aarch64" is arm64',
      },
    );
  if (diffIds.length !== manifest.layers.length)
    throw new BootwrightError(
      "FORMAT_INVALID",
      `${label}: ${manifest.layers.length} layers, but its config has ${diffIds.length} diff_ids`,
    );
  return {
    type: "image",
    digest: root.hash,
    manifest: document.hash,
    layers: manifest.layers.map(({ hash, size }, i) => ({ sha256: hash, size, diffId: diffIds[i]! })),
  };
}

/** Verified while they stream. */
export function layerBytes(
  project: Pick<Project, "session" | "config">,
  { image, layer, emit, signal }: { image: string; layer: Digest; emit: Emit; signal: AbortSignal },
): AsyncIterable<Uint8Array> {
  const { host, repository } = parseReference(image);
  return pullBlob(projectRegistry(project, { host, emit, signal }), layer, { repository });
}

/** A repository of a registry, to read files from and to publish them to. */
export function registryPlace(project: Project, url: string): Place {
  const { host, repository } = parseReference(url);
  return repositoryPlace(projectRegistry(project, { host }), { repository, hashOf: hashFile });
}

/** As the config says that it is reached. */
export function projectRegistry(
  { session, config }: { readonly session: Session; readonly config: ResolvedConfig },
  { host, ...channel }: { readonly host: string; readonly emit?: Emit; readonly signal?: AbortSignal },
): Registry {
  const known = config.sources.registries[host];
  const ca = known?.ca === undefined ? undefined : path.resolve(config.dir, known.ca);
  return openRegistry({ ...session, ...channel }, host, { plainHttp: known?.plainHttp, ca });
}
