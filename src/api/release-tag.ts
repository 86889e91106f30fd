/** Tags a release in its repositories, and says of commits that they are green. */
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { CHECK_NOTES, noteRefusal, writePassed } from "../release/check-note.ts";
import { readRelease } from "../release/document.ts";
import type { GitWorkspace } from "../release/git-workspace.ts";
import { createGithubTag, type GithubRepository, githubName, githubRefusal } from "../release/github.ts";
import { findRelease } from "../release/promotion.ts";
import { readRecord } from "../release/read-record.ts";
import { tagRelease } from "../release/tags.ts";
import { fetchTrunk, type RepositoryPlace, type Trunk } from "../release/trunk.ts";
import { needNetwork, type Platform, withGit, withPlatform } from "./platform.ts";
import type { Report, Session } from "./session.ts";

export function releaseTag(
  session: Session,
  { version, dryRun }: { version: string; dryRun: boolean },
): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { target, repositories } = platform;
    const { state } = await readRecord(target);
    const stored = await readRelease(target.place, { ...findRelease(state, version), signal: target.signal });
    needNetwork(session, repositories);
    const released = Object.keys(stored.document.repositories).map((name) => repositoryNamed(repositories, name));
    const tagged = await withGit(platform, async (workspace) => {
      const trunks: Trunk[] = [];
      for (const repository of released) trunks.push(await fetchTrunk(workspace, repository));
      return tagRelease(workspace, {
        ...{ ...stored, trunks, dryRun },
        refusal: (trunk, commit) => checkRefusal(platform, { workspace, trunk, commit }),
        tagElsewhere: (trunk, tag) => {
          const github = githubOf(platform, trunk.repository);
          return github?.token === undefined ? undefined : createGithubTag(github, tag);
        },
      });
    });
    const fresh = tagged.filter(({ known }) => !known);
    return {
      data: { version, repositories: tagged.map((one) => ({ ...one })), dryRun },
      text: tagged
        .map(({ name, commit, known }) =>
          known
            ? `${name} has ${version} at ${commit.slice(0, 12)} already`
            : `${dryRun ? "would tag" : "tagged"} ${name} at ${commit.slice(0, 12)}`,
        )
        .join("\n"),
      exit: dryRun && fresh.length > 0 ? EXIT.different : EXIT.ok,
    };
  });
}

/** Writes the note that makes the head of a trunk green. `names`: of repositories; default all that are checked by a note. */
export function releaseCheck(
  session: Session,
  { names, dryRun }: { names: readonly string[]; dryRun: boolean },
): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { repositories } = platform;
    needNetwork(session, repositories);
    const noted = repositories.filter(({ name }) => noteOf(platform, name) !== undefined);
    const chosen = names.length === 0 ? noted : names.map((name) => repositoryNamed(repositories, name));
    const other = chosen.find(({ name }) => noteOf(platform, name) === undefined);
    if (other !== undefined || chosen.length === 0)
      throw new BootwrightError(
        "USAGE",
        other === undefined ? "no repository is checked by a note" : `${other.name} is not checked by a note`,
        {
          hint: "platform.repositories.NAME.check says what makes a commit green",
        },
      );
    const passed = await withGit(platform, async (workspace) => {
      const done: { name: string; commit: string; known: boolean }[] = [];
      for (const repository of chosen) {
        const trunk = await fetchTrunk(workspace, repository);
        const ref = noteOf(platform, repository.name)!;
        const note = { ref, commit: trunk.head };
        const known = dryRun
          ? (await noteRefusal(workspace, trunk, note)) === undefined
          : !(await writePassed(workspace, trunk, note));
        done.push({ name: repository.name, commit: trunk.head, known });
      }
      return done;
    });
    return {
      data: { repositories: passed, dryRun },
      text: passed
        .map(({ name, commit, known }) => `${name} at ${commit.slice(0, 12)} ${says({ known, dryRun })}`)
        .join("\n"),
      exit: dryRun && passed.some(({ known }) => !known) ? EXIT.different : EXIT.ok,
    };
  });
}

const says = ({ known, dryRun }: { known: boolean; dryRun: boolean }): string =>
  known ? "was green already" : dryRun ? "would be green" : "is green";

function checkRefusal(
  platform: Platform,
  { workspace, trunk, commit }: { workspace: GitWorkspace; trunk: Trunk; commit: string },
): Promise<string | undefined> {
  const { repository } = trunk;
  const ref = noteOf(platform, repository.name);
  if (ref !== undefined) return noteRefusal(workspace, trunk, { ref, commit });
  if (platform.config.repositories[repository.name]!.check === "none") return Promise.resolve(undefined);
  const github = githubOf(platform, repository);
  if (github !== undefined) return githubRefusal(github, commit);
  throw new BootwrightError(
    "CONFIG_INVALID",
    `${repository.name} is checked by GitHub, and ${repository.shown} is not there`,
    {
      hint: `platform.repositories.${repository.name}.check: a note, or "none"`,
    },
  );
}

/** The ref of the notes that check it; undefined when something else does. */
function noteOf({ config }: Platform, name: string): string | undefined {
  const { check, git } = config.repositories[name]!;
  if (check === undefined) return githubName(git) === undefined ? CHECK_NOTES : undefined;
  return typeof check === "string" ? undefined : check.note;
}

function githubOf({ project, target }: Platform, { address }: RepositoryPlace): GithubRepository | undefined {
  const name = githubName(address);
  const { env } = project.session;
  const api = (env.GITHUB_API_URL || "https://api.github.com").replace(/\/+$/, "");
  const token = env.GITHUB_TOKEN || env.GH_TOKEN || undefined;
  return name === undefined ? undefined : { api, name, token, signal: target.signal };
}

function repositoryNamed(repositories: readonly RepositoryPlace[], name: string): RepositoryPlace {
  const found = repositories.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new BootwrightError("NAME_UNKNOWN", `no repository of the platform is named "${name}"`, {
    hint: `there is ${repositories.map((one) => one.name).join(", ")}`,
  });
}
