/** Releases of GitHub to publish to and to read: the token and the API's address come from the environment, as in GitHub's own workflows. */
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import { Github } from "../publish/github-api.ts";
import { sweepDrafts } from "../publish/github-drafts.ts";
import { readReleases } from "../publish/github-publications.ts";
import { findRelease, type GithubAsset, readAsset, readWholeAsset } from "../publish/github-releases.ts";
import { furtherStatements, sweepStatements } from "../publish/github-statements.ts";
import type { Publications } from "../publish/read.ts";
import type { NamedBytes } from "./evidence.ts";
import type { Session } from "./session.ts";

type Asking = Pick<Session, "env" | "signal" | "offline">;

/** "github:OWNER/REPOSITORY@TAG/NAME" */
const FILE = /^github:([\w.-]+\/[\w.-]+)@([^/]+)\/([^/]+)$/;
const REPOSITORY = /^github:([\w.-]+\/[\w.-]+)$/;

/** Throws OFFLINE. */
export function openGithub({ env, signal, offline }: Asking, to: string): Github {
  if (offline) throw new BootwrightError("OFFLINE", `${to} would be asked, which --offline forbids`);
  const token = env.GITHUB_TOKEN || env.GH_TOKEN || undefined;
  return new Github({ api: env.GITHUB_API_URL || "https://api.github.com", token, signal });
}

/** What its releases have published. Throws OFFLINE, USAGE. */
export async function releasesAt(session: Asking, to: string): Promise<Publications> {
  const [, repository] = REPOSITORY.exec(to) ?? [];
  if (repository === undefined)
    throw new BootwrightError("USAGE", `${to} is no repository of GitHub`, { hint: "github:OWNER/REPOSITORY" });
  return readReleases(openGithub(session, to), repository);
}

/** Drafts and statements that somebody has begun, and nobody has ended. Throws OFFLINE. */
export async function sweepReleases(
  session: Asking,
  { to, ...options }: { to: string; age: number; dryRun: boolean },
): Promise<readonly { readonly path: string; readonly size: number }[]> {
  const github = openGithub(session, to);
  const where = { repository: to.slice("github:".length), ...options };
  return [
    ...(await sweepDrafts(github, where)).map(({ tag, size }) => ({ path: `draft of ${tag}`, size })),
    ...(await sweepStatements(github, where)).map(({ tag, name, size }) => ({ path: `half of ${tag}/${name}`, size })),
  ];
}

export interface ReleaseFile {
  readonly name: string;
  /** The caller checks the digest. */
  readonly bytes: () => AsyncIterable<Uint8Array>;
  /** Another file of the release, or undefined. Throws LIMIT_EXCEEDED. */
  readonly read: (name: string, maxSize: number) => Promise<Buffer | undefined>;
  /** Statements about it that were added later. Throws LIMIT_EXCEEDED. */
  readonly statements: (maxSize: number) => Promise<readonly NamedBytes[]>;
}

/** Throws OFFLINE, USAGE, NAME_UNKNOWN, LOGIN_NEEDED. */
export async function openReleaseFile(session: Asking, address: string): Promise<ReleaseFile> {
  const [, repository, tag, name] = FILE.exec(address) ?? [];
  if (repository === undefined || tag === undefined || name === undefined)
    throw new BootwrightError("USAGE", `${address} names no file of a release`, {
      hint: "github:OWNER/REPOSITORY@TAG/NAME",
    });
  const github = openGithub(session, address);
  const release = await findRelease(github, { repository, tag });
  // Of a statement that is added at this moment, half may be there.
  const find = (wanted: string) => release?.assets.find(({ name, state }) => name === wanted && state === "uploaded");
  const asset = find(name);
  if (asset === undefined)
    throw new BootwrightError(
      "NAME_UNKNOWN",
      release === undefined
        ? `${repository} has no release ${tag}`
        : `release ${tag} of ${repository} has no ${name}${didYouMean(
            name,
            release.assets.map((one) => one.name),
          )}`,
      { hint: `bootwright published github:${repository}; a private repository needs a token in GITHUB_TOKEN` },
    );
  const readSmall = async (there: GithubAsset, maxSize: number): Promise<Buffer> => {
    if (there.size <= maxSize) return readWholeAsset(github, { repository, asset: there });
    throw new BootwrightError("LIMIT_EXCEEDED", `${there.name} has ${there.size} bytes; at most ${maxSize} are read`);
  };
  return {
    name,
    bytes: () => readAsset(github, { repository, asset }),
    async read(other, maxSize) {
      const there = find(other);
      return there && readSmall(there, maxSize);
    },
    async statements(maxSize) {
      const all: { name: string; bytes: Buffer }[] = [];
      for (const one of furtherStatements(release!, name))
        all.push({ name: one.name, bytes: await readSmall(one, maxSize) });
      return all;
    },
  };
}
