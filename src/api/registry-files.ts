/** A published file out of a registry: what an artifact carries, or a container image's archive, put together from its parts. */
import { BootwrightError } from "../base/errors.ts";
import { encodeOciArchive, isContainerImage, listOciArchive } from "../formats/oci-archive.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import { parseReference } from "../oci/reference.ts";
import { openRepository, type Repository } from "../oci/repository.ts";
import type { RemotePlace } from "../source/fetch.ts";
import type { Project } from "./project.ts";
import { projectRegistry } from "./registry-images.ts";

/** `url`: with the digest of a manifest or index. Every blob is verified while it comes; the caller checks the whole. */
export async function* publishedBytes(
  project: Pick<Project, "session" | "config">,
  { url, sha256, size, ...channels }: RemotePlace,
): AsyncGenerator<Uint8Array> {
  const reference = parseReference(url);
  const repository = openRepository(projectRegistry(project, { host: reference.host, ...channels }), reference);
  const document = await repository.resolve(reference);
  const content = parseOciContent(document.bytes, document.mediaType, url);
  if (isContainerImage(content)) {
    yield* archiveBytes(repository, { url, size, root: document });
    return;
  }
  if (content.kind !== "manifest" || !content.layers.some(({ hash }) => hash === sha256))
    throw new BootwrightError("DIGEST_MISMATCH", `${url} does not hold sha256:${sha256}`);
  yield* repository.blob({ hash: sha256, size }).open(0);
}

async function* archiveBytes(
  repository: Repository,
  { url, size, root }: { url: string; size: number; root: Awaited<ReturnType<Repository["resolve"]>> },
): AsyncGenerator<Uint8Array> {
  const archive = await listOciArchive(root, async (inner) => (await repository.document(inner)).bytes);
  if (archive.size !== size)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `the archive of ${url} has ${archive.size} bytes; wanted are ${size} bytes`,
      { hint: `the image as it is: bootwright oci pull ${url.replace(/^oci:\/\//, "")}` },
    );
  yield* encodeOciArchive(archive, (digest) => repository.blob(digest).open(0));
}
