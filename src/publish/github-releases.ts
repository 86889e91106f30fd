/** Releases of a repository and their assets, as GitHub's API tells them. */
import { systemClock } from "../base/clock.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { JsonFields } from "../formats/oci-json.ts";
import type { Github } from "./github-api.ts";

export interface GithubRelease {
  readonly id: number;
  readonly tag: string;
  /** Seen by who may write the repository alone. */
  readonly draft: boolean;
  readonly body: string;
  /** For people. */
  readonly url: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** ISO 8601, UTC; "" for a draft. */
  readonly published: string;
  /** GitHub lets nobody add to it or take from it. */
  readonly immutable: boolean;
  /** Of an asset more, without its name. */
  readonly uploadUrl: string;
  readonly assets: readonly GithubAsset[];
}

export interface GithubAsset {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  /** "uploaded" when all of it is there. */
  readonly state: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** Hex; undefined where the server is too old to tell. */
  readonly sha256: string | undefined;
}

/** "OWNER/REPOSITORY", and what says which release. */
export interface ReleaseName {
  readonly repository: string;
  readonly tag: string;
}

/** Undefined when there is none. A draft has no tag yet, so it is not found here. */
export async function findRelease(
  github: Github,
  { repository, tag }: ReleaseName,
): Promise<GithubRelease | undefined> {
  const found = await github.json({
    ...{ method: "GET", path: `/repos/${repository}/releases/tags/${encodeURIComponent(tag)}` },
    ...{ what: `look for release ${tag} of ${repository}`, accept: [404] },
  });
  return found && releaseOf(found);
}

/** The one that the repository calls its latest; undefined when there is none. */
export async function findLatest(github: Github, repository: string): Promise<GithubRelease | undefined> {
  const found = await github.json({
    ...{ method: "GET", path: `/repos/${repository}/releases/latest` },
    ...{ what: `look for the latest release of ${repository}`, accept: [404] },
  });
  return found && releaseOf(found);
}

/** Milliseconds since the epoch, by the server's clock. */
export async function serverTime(github: Github, repository: string): Promise<number> {
  const what = `list the releases of ${repository}`;
  const { headers } = await github.call({ method: "GET", path: `/repos/${repository}/releases?per_page=1`, what });
  const time = Date.parse(String(headers.date ?? ""));
  return Number.isNaN(time) ? systemClock.now() : time;
}

/** With the drafts that the token may see. */
export const listReleases = (github: Github, repository: string): Promise<readonly GithubRelease[]> =>
  allPages(github, {
    ...{ path: `/repos/${repository}/releases`, what: `list the releases of ${repository}` },
    read: (item, where) => releaseOf(JsonFields.of(item, where)),
  });

export const listAssets = (
  github: Github,
  { repository, release }: { repository: string; release: number },
): Promise<readonly GithubAsset[]> =>
  allPages(github, {
    ...{ path: `/repos/${repository}/releases/${release}/assets`, what: "list what was uploaded" },
    read: assetOf,
  });

/** The bytes of an asset; the caller checks their digest. */
export const readAsset = (
  github: Github,
  { repository, asset: { id, name, size } }: { repository: string; asset: GithubAsset },
): AsyncGenerator<Uint8Array> =>
  github.read(`/repos/${repository}/releases/assets/${id}`, { what: `${repository}: ${name}`, size });

/** A small one, whole. Throws DIGEST_MISMATCH where the server tells digests. */
export async function readWholeAsset(
  github: Github,
  asked: { repository: string; asset: GithubAsset },
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readAsset(github, asked)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const { name, sha256 } = asked.asset;
  const got = digestOf(bytes).hash;
  if ((sha256 ?? got) === got) return bytes;
  throw new BootwrightError("DIGEST_MISMATCH", `${asked.repository}: ${name} arrived as sha256:${got}`, {
    hint: "try again",
    detail: `wanted  sha256:${sha256}`,
  });
}

/** Items of a page, and how many pages are read. */
const [PAGE, MAX_PAGES] = [100, 100];

async function allPages<T>(
  github: Github,
  { path, what, read }: { path: string; what: string; read: (item: unknown, where: string) => T },
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let page = 1; page <= MAX_PAGES; page++) {
    const { bytes } = await github.call({ method: "GET", path: `${path}?per_page=${PAGE}&page=${page}`, what });
    const list = JsonFields.parse(Buffer.concat([Buffer.from('{"page":'), bytes, Buffer.from("}")]), what);
    const items = list.list("page", read, PAGE);
    all.push(...items);
    if (items.length < PAGE) break;
  }
  return all;
}

const releaseOf = (fields: JsonFields): GithubRelease => ({
  id: fields.count("id"),
  tag: fields.text("tag_name"),
  draft: fields.value("draft") === true,
  body: fields.optionalText("body") ?? "",
  url: fields.text("html_url"),
  created: fields.optionalText("created_at") ?? "",
  published: fields.optionalText("published_at") ?? "",
  immutable: fields.value("immutable") === true,
  uploadUrl: uploadUrlOf(fields),
  assets: fields.list("assets", assetOf, 1000),
});

/** Without the part in braces, which says what may be added. */
export const uploadUrlOf = (fields: JsonFields): string =>
  (fields.optionalText("upload_url") ?? "").replace(/\{.*$/, "");

function assetOf(item: unknown, where: string): GithubAsset {
  const fields = JsonFields.of(item, where);
  return {
    id: fields.count("id"),
    name: fields.text("name"),
    size: fields.count("size"),
    state: fields.text("state"),
    created: fields.optionalText("created_at") ?? "",
    sha256: /^sha256:([0-9a-f]{64})$/.exec(fields.optionalText("digest") ?? "")?.[1],
  };
}
