/**
 * Publishes files as a release of a GitHub repository: a draft, which nobody sees, its files, checked; then the draft becomes
 * the release of its tag, all at once. What a release has is not changed. What a reader wants to know of its files
 * is in one of them, as the state of any other place is.
 */
import type { KeyObject } from "node:crypto";
import fs from "node:fs";
import { BootwrightError } from "../base/errors.ts";
import { keyName, minisignKeyOf, signMinisign } from "../formats/minisign.ts";
import type { Github } from "./github-api.ts";
import { DRAFT_MARK, removeDraft, removeDrafts } from "./github-drafts.ts";
import { findRelease, type GithubRelease, listAssets, uploadUrlOf } from "./github-releases.ts";
import { type Asset, bytesAsset, isWhole, uploadAsset } from "./github-upload.ts";
import { RELEASE_STATE, VIEW_NAMES } from "./reserved.ts";
import { encodeState } from "./state.ts";
import type { NewFile } from "./target.ts";

export interface ReleaseOptions {
  /** "OWNER/REPOSITORY" */
  readonly repository: string;
  readonly tag: string;
  readonly files: readonly NewFile[];
  /** What is said of the files, as files beside them; made when it is needed. */
  readonly beside: readonly BesideFile[];
  /** The repository's "latest" moves to it. */
  readonly latest: boolean;
  /** Ed25519; signs SHA256SUMS. */
  readonly secret: KeyObject | undefined;
  /** ISO 8601, UTC. */
  readonly now: string;
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
}

export interface BesideFile {
  readonly name: string;
  readonly make: () => Promise<Uint8Array>;
}

export interface PublishedRelease {
  readonly address: string;
  /** All was there already. */
  readonly known: boolean;
}

/** Throws EXISTS when the tag has a release with other files, and what the API throws. */
export async function publishRelease(github: Github, options: ReleaseOptions): Promise<PublishedRelease> {
  requireNames(options);
  const before = await findRelease(github, options);
  if (before !== undefined) return checkSame(before, options);
  if (options.dryRun) return { address: addressOf(options), known: false };
  const assets = [
    ...options.files.map(assetOf),
    ...(await besideAssets(options)),
    ...sumsOf(options),
    stateOf(options),
  ];
  const draft = await makeDraft(github, options);
  try {
    for (const asset of assets) await uploadAsset(github, { release: draft, asset, ...options });
    await requireAssets(github, { draft, assets, ...options });
    await github.call({
      ...{ method: "PATCH", path: `/repos/${options.repository}/releases/${draft.id}` },
      ...{ what: `publish release ${options.tag}`, json: { draft: false, make_latest: String(options.latest) } },
    });
  } catch (error) {
    await removeDraft(github, { repository: options.repository, id: draft.id }).catch(() => {});
    options.signal.throwIfAborted();
    // Another publisher was first: then its release is what counts.
    const other = await findRelease(github, options).catch(() => undefined);
    if (other === undefined) throw error;
    return checkSame(other, options);
  }
  const published = await findRelease(github, options);
  if (published?.id !== draft.id)
    throw new BootwrightError(
      "EXISTS",
      `${options.repository}: release ${options.tag} was published by another at the same time`,
    );
  await removeDrafts(github, options);
  return { address: published.url, known: false };
}

const addressOf = ({ repository, tag }: ReleaseOptions): string => `github:${repository} release ${tag}`;

interface Draft {
  readonly id: number;
  readonly uploadUrl: string;
}

async function makeDraft(github: Github, { repository, tag, files }: ReleaseOptions): Promise<Draft> {
  const list = files.map(({ name, sha256 }) => `${sha256}  ${name}`).join("\n");
  const body = `\`\`\`\n${list}\n\`\`\`\n${DRAFT_MARK}\n`;
  const made = await github.json({
    ...{ method: "POST", path: `/repos/${repository}/releases`, what: `make a draft of release ${tag}` },
    json: { tag_name: tag, name: tag, draft: true, body },
  });
  return { id: made!.count("id"), uploadUrl: uploadUrlOf(made!) };
}

async function requireAssets(
  github: Github,
  { draft, assets, repository }: ReleaseOptions & { draft: Draft; assets: readonly Asset[] },
): Promise<void> {
  const there = await listAssets(github, { repository, release: draft.id });
  for (const { name, size, sha256 } of assets) {
    const found = there.find((one) => one.name === name);
    if (isWhole(found, { size, sha256 })) continue;
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `${name}: ${found === undefined ? "nothing is there" : `${found.size} bytes, sha256:${found.sha256 ?? "?"}, are there`} after the upload; wanted ${size} bytes, sha256:${sha256}`,
      { hint: "publish again" },
    );
  }
}

function checkSame(release: GithubRelease, { files, beside, repository, tag }: ReleaseOptions): PublishedRelease {
  const hint = `a release never changes; publish all of its files at once, as the next version${nextTag(tag)}`;
  for (const { name, size, sha256 } of files) {
    const found = release.assets.find((one) => one.name === name);
    if (found !== undefined && found.size === size && (found.sha256 ?? sha256) === sha256) continue;
    throw new BootwrightError(
      "EXISTS",
      found === undefined
        ? `${repository} has a release ${tag} already, without ${name}`
        : `${repository} has a release ${tag} already, with another ${name}`,
      {
        hint,
        ...(found !== undefined && { detail: `there  sha256:${found.sha256 ?? "?"}\nhere   sha256:${sha256}` }),
      },
    );
  }
  // A signature may differ each time that it is made: the first one counts.
  const unsaid = beside.find(({ name }) => !release.assets.some((one) => one.name === name));
  if (unsaid !== undefined)
    throw new BootwrightError("EXISTS", `${repository} has a release ${tag} already, without ${unsaid.name}`, { hint });
  return { address: release.url, known: true };
}

/** Assets share one list of names. */
function requireNames({ files, beside }: ReleaseOptions): void {
  const names = [...files, ...beside].map(({ name }) => name);
  const taken = names.find((name, i) => VIEW_NAMES.test(name) || name === RELEASE_STATE || names.indexOf(name) !== i);
  if (taken !== undefined)
    throw new BootwrightError("EXISTS", `a release cannot have a file ${taken} of its own: the name is taken in it`);
}

function nextTag(tag: string): string {
  const [, head, patch] = /^(v?\d+\.\d+\.)(\d+)$/.exec(tag) ?? [];
  return head === undefined ? "" : `: ${head}${Number(patch) + 1}`;
}

const assetOf = ({ name, size, sha256, local }: NewFile): Asset => ({
  ...{ name, size, sha256 },
  open: () => fs.createReadStream(local),
});

function sumsOf({ files, secret, tag }: ReleaseOptions): readonly Asset[] {
  const sums = Buffer.from(files.map(({ sha256, name }) => `${sha256}  ${name}\n`).join(""));
  if (secret === undefined) return [bytesAsset("SHA256SUMS", sums)];
  const untrusted = `signature with key ${keyName(minisignKeyOf(secret).id)}`;
  const signature = signMinisign(sums, { secret, untrusted, trusted: `SHA256SUMS release:${tag}` });
  return [bytesAsset("SHA256SUMS", sums), bytesAsset("SHA256SUMS.minisig", Buffer.from(signature))];
}

async function besideAssets({ beside, signal }: ReleaseOptions): Promise<readonly Asset[]> {
  const assets: Asset[] = [];
  for (const { name, make } of beside) {
    signal.throwIfAborted();
    assets.push(bytesAsset(name, Buffer.from(await make())));
  }
  return assets;
}

/** What the API does not tell of the files: which publication each is, of which image, with which kernel. */
function stateOf({ files, tag, secret, now }: ReleaseOptions): Asset {
  const state = encodeState({
    ...{ serial: 1, updated: now, previous: "", moving: {}, retired: [], views: ["SHA256SUMS"] },
    files: files.map(({ local: _, moving: __, ...file }) => ({
      ...{ ...file, immutable: [tag], digest: file.sha256, published: now },
    })),
    signedBy: secret === undefined ? "" : keyName(minisignKeyOf(secret).id),
  });
  return bytesAsset(RELEASE_STATE, state);
}
