/** What the repositories of a platform have published, and where the bytes of an artifact are. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { withoutAccount } from "../base/account.ts";
import { download } from "../base/download.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { shownUrl } from "../base/http.ts";
import type { FoundFile } from "../publish/read.ts";
import type { ReleaseArtifact } from "../release/document.ts";
import type { Platform } from "./platform.ts";
import type { Project } from "./project.ts";
import { publicationsAt } from "./publications-at.ts";
import { remoteBytes } from "./remote-bytes.ts";

/**
 * Of each publication what has the release's version (a "v" in front does not count), else what was published last: a repository
 * in which nothing changed publishes nothing new.
 */
export async function publishedArtifacts(platform: Platform, version: string): Promise<readonly ReleaseArtifact[]> {
  const { project, config } = platform;
  const artifacts: ReleaseArtifact[] = [];
  for (const [repository, { publishes }] of Object.entries(config.repositories))
    for (const written of publishes) {
      const url = absoluteAddress(written, project.config.dir);
      const { address: place, files } = await publicationsAt(project, url);
      if (files.length === 0)
        throw new BootwrightError("NAME_UNKNOWN", `${repository} has published nothing at ${shownUrl(written)} yet`, {
          hint: "there: bootwright publish",
        });
      for (const file of chooseFiles(files, version))
        artifacts.push(
          artifactOf(file, {
            ...{ repository, address: withoutAccount(url) + file.address.slice(place.length) },
          }),
        );
    }
  return artifacts;
}

/** `files`: newest first. */
export function chooseFiles(files: readonly FoundFile[], version: string): readonly FoundFile[] {
  const wanted = version.slice(1);
  const best = (some: readonly FoundFile[]) =>
    some.find((file) => file.version.replace(/^v/, "") === wanted) ?? some[0]!;
  return [...Map.groupBy(files, ({ publication }) => publication).values()].flatMap((all) => {
    // What is of several architectures now was of one before, or the other way round: that is no second artifact.
    const isMulti = ({ arch }: FoundFile) => arch === "multi";
    const same = all.filter((file) => isMulti(file) === isMulti(best(all)));
    return [...Map.groupBy(same, ({ arch }) => arch).values()].map(best);
  });
}

const artifactOf = (
  { publication, name, arch, version, size, sha256 }: FoundFile,
  { repository, address }: { repository: string; address: string },
): ReleaseArtifact => ({ name: publication, repository, file: name, arch, version, size, sha256, address });

/** A directory as an address that means the same from everywhere on this host. */
export const absoluteAddress = (written: string, projectDir: string): string =>
  /^[a-z0-9]+:/.test(written)
    ? written.replace(/\/+$/, "")
    : pathToFileURL(path.resolve(projectDir, written)).href.replace(/\/+$/, "");

/** The caller checks the digest. */
export async function* artifactBytes(
  project: Pick<Project, "session" | "config">,
  { address, sha256, size }: Pick<ReleaseArtifact, "address" | "sha256" | "size">,
  channels: { readonly emit: Emit; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  if (/^(https?|file):/.test(address)) yield* download(address, { ...channels, maxSize: size });
  else yield* remoteBytes(project, { url: address, sha256, size, ...channels });
}
