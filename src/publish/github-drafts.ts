/** Drafts of releases that a publisher has begun: nobody but who may write the repository sees them. */
import type { Github } from "./github-api.ts";
import { type GithubRelease, listReleases, serverTime } from "./github-releases.ts";

/** Marks drafts as ours. */
export const DRAFT_MARK = "<!-- made by bootwright publish -->";

/** Drafts of this tag that others left behind, or with which they are too late. */
export async function removeDrafts(
  github: Github,
  { repository, tag }: { repository: string; tag: string },
): Promise<void> {
  for (const one of await listDrafts(github, repository))
    if (one.tag === tag) await removeDraft(github, { repository, ...one });
}

/** Drafts that were begun so long ago that whoever began them has died: milliseconds by the server's clock. */
export async function sweepDrafts(
  github: Github,
  { repository, age, dryRun }: { repository: string; age: number; dryRun: boolean },
): Promise<readonly { readonly tag: string; readonly size: number }[]> {
  const before = (await serverTime(github, repository)) - age;
  const old = (await listDrafts(github, repository)).filter(({ created }) => Date.parse(created) < before);
  for (const one of dryRun ? [] : old) await removeDraft(github, { repository, ...one });
  return old.map(({ tag, assets }) => ({ tag, size: assets.reduce((sum, { size }) => sum + size, 0) }));
}

/** One that is gone is no error. */
export async function removeDraft(
  github: Github,
  { repository, id }: { readonly repository: string; readonly id: number },
): Promise<void> {
  await github.call({
    ...{ method: "DELETE", path: `/repos/${repository}/releases/${id}`, what: "delete a draft" },
    accept: [404],
  });
}

const listDrafts = async (github: Github, repository: string): Promise<readonly GithubRelease[]> =>
  (await listReleases(github, repository)).filter(({ draft, body }) => draft && body.includes(DRAFT_MARK));
