/** Puts an asset into a release. What arrived in part is taken away and sent again. */
import { digestOf } from "../base/digest.ts";
import { hasCode } from "../base/errors.ts";
import type { Github } from "./github-api.ts";
import { type GithubAsset, listAssets } from "./github-releases.ts";

export interface Asset {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly open: () => AsyncIterable<Uint8Array>;
}

export interface UploadOptions {
  readonly repository: string;
  readonly release: { readonly id: number; readonly uploadUrl: string };
  readonly asset: Asset;
  /** Whole, and as good as ours: another publisher may have put it. */
  readonly isDone?: (there: GithubAsset) => boolean;
  readonly signal: AbortSignal;
}

const ATTEMPTS = 3;

/** Throws what the API throws. */
export async function uploadAsset(
  github: Github,
  { repository, release, asset, signal, isDone = (there) => isWhole(there, asset) }: UploadOptions,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      await github.call({
        ...{ method: "POST", path: `${release.uploadUrl}?name=${encodeURIComponent(asset.name)}` },
        ...{ what: `upload ${asset.name}`, file: () => ({ size: asset.size, chunks: asset.open() }) },
      });
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || !(hasCode(error, "NETWORK") || hasCode(error, "HTTP_STATUS"))) throw error;
      const all = await listAssets(github, { repository, release: release.id });
      const there = all.find(({ name }) => name === asset.name);
      if (there === undefined) continue;
      if (isDone(there)) return;
      await deleteAsset(github, { repository, asset: there });
    }
  }
}

/** A server of GitHub's own make may be too old to tell digests. */
export const isWhole = (there: GithubAsset | undefined, { size, sha256 }: Pick<Asset, "size" | "sha256">): boolean =>
  there?.state === "uploaded" && there.size === size && (there.sha256 ?? sha256) === sha256;

/** One that is gone is no error. */
export async function deleteAsset(
  github: Github,
  { repository, asset: { id, name } }: { repository: string; asset: GithubAsset },
): Promise<void> {
  await github.call({
    ...{ method: "DELETE", path: `/repos/${repository}/releases/assets/${id}`, accept: [404] },
    what: `delete a part of ${name}`,
  });
}

export const bytesAsset = (name: string, bytes: Buffer): Asset => ({
  ...{ name, size: bytes.length, sha256: digestOf(bytes).hash },
  open: async function* () {
    yield bytes;
  },
});
