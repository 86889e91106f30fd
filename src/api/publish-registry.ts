/** Publishes into a repository of a registry: each file an artifact under its digest, a container image itself, and tags that lead to it. */
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { Place } from "../base/place.ts";
import { type LocalArtifact, localArtifact } from "../oci/artifact.ts";
import { type CopyEvent, copyContent } from "../oci/copy.ts";
import { openLayoutSource } from "../oci/layout-content.ts";
import { deleteManifest, findManifest, getManifest, headManifest, putManifest } from "../oci/manifests.ts";
import { parseReference } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import { openRepository } from "../oci/repository.ts";
import { type SweptClaim, sweepClaims } from "../oci/sweep-claims.ts";
import type { NewFile, PublishTarget } from "../publish/target.ts";
import type { Project } from "./project.ts";
import { showCopying } from "./registries.ts";
import { projectRegistry, registryPlace } from "./registry-images.ts";

/** As the project's config says that the registry is reached. */
export function registryTarget(project: Project, to: string): PublishTarget {
  const { host, repository } = parseReference(to.replace(/^oci:\/\//, ""));
  const registry = projectRegistry(project, { host });
  const documents = registryPlace(project, `${host}/${repository}`);
  const { signal } = project.session;
  return repositoryTarget(registry, { repository, documents, signal, on: showCopying(project.session, "push") });
}

/** What publishers that died have left under tags. */
export function sweepRegistry(
  project: Project,
  { to, ...options }: { to: string; age: number; dryRun: boolean },
): Promise<readonly SweptClaim[]> {
  const { host, repository } = parseReference(to.replace(/^oci:\/\//, ""));
  return sweepClaims(projectRegistry(project, { host }), { repository, ...options });
}

interface RepositoryOptions {
  readonly repository: string;
  /** Of the same repository. */
  readonly documents: Place;
  readonly signal: AbortSignal;
  readonly on?: (event: CopyEvent) => void;
}

export function repositoryTarget(
  registry: Registry,
  { repository, documents, ...copying }: RepositoryOptions,
): PublishTarget {
  const { host } = registry;
  const digest = (hash: string) => ({ host, repository, digest: hash });
  const tag = (name: string) => ({ host, repository, tag: name });
  return {
    documents,
    lists: false,
    digestOf: (file) => artifactOf(file).document.hash,
    movingName: (moving) => moving,
    namesOf: ({ immutable }) => immutable,
    async isTaken(name, file) {
      const there = await headManifest(registry, tag(name));
      return there !== undefined && there.hash !== file.digest;
    },
    async put(file) {
      const { document, source } = artifactOf(file);
      for (let attempt = 1; attempt <= 3; attempt++) {
        await copyContent(document, { from: source, to: openRepository(registry, { repository }), ...copying });
        const there = await headManifest(registry, digest(document.hash));
        if (there?.hash === document.hash && there.size === document.size) return;
        // Another publisher may just take away the same image, under a name that it had before.
      }
      throw new BootwrightError(
        "DIGEST_MISMATCH",
        `${documents.address}@sha256:${document.hash} is not there after the push`,
        {
          hint: "the registry did not keep it; it cannot be relied on",
        },
      );
    },
    async holds(file) {
      return (await headManifest(registry, digest(file.digest)))?.hash === file.digest;
    },
    async link(name, file) {
      if ((await headManifest(registry, tag(name)))?.hash === file.digest) return;
      await putManifest(registry, tag(name), await getManifest(registry, digest(file.digest)));
    },
    async remove(file, { isListed }) {
      // The same container image is the same digest under each of its names.
      if (await isListed()) return false;
      try {
        // Another publisher may remove it at this moment.
        const document = await findManifest(registry, digest(file.digest));
        if (document === undefined) return true;
        const removed = await deleteManifest(registry, digest(file.digest));
        // Who publishes it anew looks for it behind naming it, we look for the name behind removing it: one sees the other.
        if (removed && (await isListed())) await putManifest(registry, digest(file.digest), document);
        return removed;
      } catch (error) {
        if (hasCode(error, "REGISTRY_DENIED") || hasCode(error, "LOGIN_NEEDED")) return false;
        throw error;
      }
    },
  };
}

/** No time is in it: the same file under the same name is the same digest. A container image is what its archive holds. */
function artifactOf({ local, name, size, sha256, version, kernel, kind }: NewFile): LocalArtifact {
  if (kind === "oci") {
    const source = openLayoutSource(name, local);
    return { document: source.resolve(undefined), source };
  }
  return localArtifact([{ file: local, title: name, digest: { hash: sha256, size } }], {
    artifactType: `application/vnd.bootwright.${kind}.v1`,
    annotations: {
      "org.opencontainers.image.title": name,
      ...(version !== "" && { "org.opencontainers.image.version": version }),
      ...(kernel !== "" && { "org.bootwright.kernel.release": kernel }),
    },
  });
}
