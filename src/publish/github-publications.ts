/**
 * What the releases of a GitHub repository have published, as a place's state says it of others. Each release holds a document
 * that says what its files are; GitHub's own list says which of them are there, and with which digests.
 */
import { BootwrightError } from "../base/errors.ts";
import type { Github } from "./github-api.ts";
import { findLatest, type GithubRelease, listReleases, readWholeAsset } from "./github-releases.ts";
import { addressOf, type FoundFile, type Publications } from "./read.ts";
import { RELEASE_STATE } from "./reserved.ts";
import { decodeState, MAX_STATE, type PublishedFile } from "./state.ts";

/** Documents that are read at once. */
const AT_ONCE = 8;

/** Releases that others made are not listed. Throws DIGEST_MISMATCH for a file that was changed since, FORMAT_INVALID, and what the API throws. */
export async function readReleases(github: Github, repository: string): Promise<Publications> {
  const releases = (await listReleases(github, repository))
    .filter(({ draft, assets }) => !draft && assets.some(isState))
    .sort((a, b) => (a.published === b.published ? b.id - a.id : a.published < b.published ? 1 : -1));
  const latest = releases.length === 0 ? undefined : await findLatest(github, repository);
  const files: FoundFile[] = [];
  for (let at = 0; at < releases.length; at += AT_ONCE) {
    const read = releases.slice(at, at + AT_ONCE).map((release) => readFiles(github, { repository, release }));
    for (const [i, some] of (await Promise.all(read)).entries()) {
      const moving = releases[at + i]!.id === latest?.id ? ["latest"] : [];
      files.push(...some.map((file) => ({ ...file, address: addressOf(`github:${repository}`, file), moving })));
    }
  }
  return { serial: releases.length, updated: releases[0]?.published, settled: true, files };
}

const isState = ({ name }: { readonly name: string }): boolean => name === RELEASE_STATE;

/** A file that was taken away is not published any more. */
async function readFiles(
  github: Github,
  { repository, release }: { repository: string; release: GithubRelease },
): Promise<readonly PublishedFile[]> {
  const asset = release.assets.find(isState)!;
  const what = `github:${repository}@${release.tag}/${asset.name}`;
  if (asset.size > MAX_STATE) throw new BootwrightError("LIMIT_EXCEEDED", `${what} has ${asset.size} bytes`);
  const { files } = decodeState(await readWholeAsset(github, { repository, asset }), what);
  return files
    .filter(({ name }) => release.assets.some((one) => one.name === name))
    .map((file) => {
      const there = release.assets.find(({ name }) => name === file.name)!;
      if (there.size !== file.size || (there.sha256 ?? file.sha256) !== file.sha256)
        throw new BootwrightError(
          "DIGEST_MISMATCH",
          `github:${repository}: ${file.name} of release ${release.tag} is not what was published`,
          {
            hint: "somebody changed the release; delete it, and publish the next version",
            detail: `published  sha256:${file.sha256}\nthere      sha256:${there.sha256 ?? "?"}, ${there.size} bytes`,
          },
        );
      return { ...file, immutable: [release.tag] };
    });
}
