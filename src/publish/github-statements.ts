/**
 * Further statements about a file of a release: the same bytes may be made from other commits, and each says so. What is published in
 * a release never changes, so each is an asset of its own, under a name that says which one it is: who publishes the same again finds it, and
 * two at once put one. A release that GitHub itself calls immutable takes none.
 */
import { BootwrightError } from "../base/errors.ts";
import type { Github } from "./github-api.ts";
import type { BesideFile } from "./github-release.ts";
import {
  findRelease,
  type GithubAsset,
  type GithubRelease,
  listReleases,
  readWholeAsset,
  serverTime,
} from "./github-releases.ts";
import { type Asset, bytesAsset, deleteAsset, uploadAsset } from "./github-upload.ts";

/** As `NAME.intoto.jsonl` of other places, in another file for each but the first. */
const FURTHER = /\.[0-9a-f]{12}\.intoto\.jsonl$/;
/** Of one file, beside the first. As many as other places keep. */
const MAX_FURTHER = 63;
const ATTEMPTS = 3;

/** `says`: SHA-256 of what it says and of who says it, hex. */
export const furtherName = (file: string, says: string): string => `${file}.${says.slice(0, 12)}.intoto.jsonl`;

/** Those of one file, by name. */
export const furtherStatements = ({ assets }: Pick<GithubRelease, "assets">, file: string): readonly GithubAsset[] =>
  assets
    .filter(({ name, state }) => state === "uploaded" && FURTHER.test(name) && name.replace(FURTHER, "") === file)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, MAX_FURTHER);

/** Halves of statements that were begun so long ago that whoever began them has died: milliseconds by the server's clock. */
export async function sweepStatements(
  github: Github,
  { repository, age, dryRun }: { repository: string; age: number; dryRun: boolean },
): Promise<readonly { readonly tag: string; readonly name: string; readonly size: number }[]> {
  const before = (await serverTime(github, repository)) - age;
  const halves = (await listReleases(github, repository))
    .filter(({ draft, immutable }) => !draft && !immutable)
    .flatMap(({ tag, assets }) => assets.map((asset) => ({ tag, asset })))
    .filter(({ asset: { name, state } }) => state !== "uploaded" && FURTHER.test(name))
    .filter(({ asset }) => Date.parse(asset.created) < before);
  for (const { asset } of dryRun ? [] : halves) await deleteAsset(github, { repository, asset });
  return halves.map(({ tag, asset: { name, size } }) => ({ tag, name, size }));
}

export interface AddedStatement {
  /** "OWNER/REPOSITORY" */
  readonly repository: string;
  readonly tag: string;
  /** The file's name. */
  readonly file: string;
  readonly statement: BesideFile;
  /** True for a file that says it, signed by this key. */
  readonly isSaidBy: (bytes: Buffer) => boolean;
  readonly signal: AbortSignal;
}

/**
 * "immutable": the release takes no more, "full": it has as many as are kept. Throws DIGEST_MISMATCH for what did not arrive as it was sent, and
 * what the API throws.
 */
export async function addStatement(
  github: Github,
  added: AddedStatement,
): Promise<"there" | "added" | "immutable" | "full"> {
  const { repository, tag, file, statement, isSaidBy, signal } = added;
  const isOurs = async (asset: GithubAsset | undefined) =>
    asset?.state === "uploaded" && isSaidBy(await readWholeAsset(github, { repository, asset }));
  for (let attempt = 1, put: Asset | undefined; ; attempt++) {
    const release = await findRelease(github, { repository, tag });
    if (release === undefined)
      throw new BootwrightError("NAME_UNKNOWN", `${repository} has no release ${tag} any more`, {
        hint: "publish again",
      });
    const named = (name: string) => release.assets.find((one) => one.name === name);
    const own = named(statement.name);
    // Two at once may each have made a signature: one is as good as the other.
    if ((own !== undefined && own.sha256 === put?.sha256) || (await isOurs(own))) return put ? "added" : "there";
    if (await isOurs(named(`${file}.intoto.jsonl`))) return "there";
    if (attempt > ATTEMPTS)
      throw new BootwrightError(
        "DIGEST_MISMATCH",
        `${statement.name} did not arrive in release ${tag} as it was sent`,
        {
          hint: "publish again",
        },
      );
    if (release.immutable) return "immutable";
    if (own !== undefined) await deleteAsset(github, { repository, asset: own });
    else if (furtherStatements(release, file).length >= MAX_FURTHER) return "full";
    put ??= bytesAsset(statement.name, Buffer.from(await statement.make()));
    await uploadAsset(github, { repository, release, asset: put, signal, isDone: ({ state }) => state === "uploaded" });
  }
}
