/** Releases of the Linux kernel: where their tarballs lie (kernel.org's URL scheme), and what they must be. */
import fs from "node:fs";
import { download } from "../base/download.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { removeQuietly } from "../base/fs.ts";
import { HttpStatusError } from "../base/http.ts";
import { run } from "../base/process.ts";
import type { Store } from "../store/store.ts";
import type { LockEntry } from "./lock.ts";

/** `releases` holds v6.x/…; `snapshots` serves tags that are no release yet. Without a trailing slash. */
export interface KernelOrg {
  readonly releases: string;
  readonly snapshots: string;
  /** Path of a keyring for gpgv that signs sha256sums.asc; without it the list is compared, but not its signature. */
  readonly keyring?: string | undefined;
}

export interface KernelTarball {
  readonly url: string;
  /** The list of digests beside it; release candidates have none. */
  readonly sums?: string;
  readonly file: string;
}

/** "6.12.48" → v6.x/linux-6.12.48.tar.xz; "6.12.0" is 6.12; "6.18-rc3" is a snapshot of the tag. */
export function kernelTarball(version: string, { releases, snapshots }: KernelOrg): KernelTarball {
  if (version.includes("-rc")) {
    const file = `linux-${version}.tar.gz`;
    return { url: `${snapshots}/${file}`, file };
  }
  const [major, minor, patch] = version.split(".");
  const dir = Number(major) < 3 ? `v${major}.${minor}` : `v${major}.x`;
  const file = `linux-${[major, minor, ...(patch === undefined || patch === "0" ? [] : [patch])].join(".")}.tar.xz`;
  return { url: `${releases}/${dir}/${file}`, file, sums: `${releases}/${dir}/sha256sums.asc` };
}

export interface PinKernelOptions {
  readonly store: Store;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly site: KernelOrg;
  readonly sha256?: string | undefined;
}

/** The bytes go into the store at once. Throws KERNEL_UNKNOWN, DIGEST_MISMATCH, SIGNATURE_INVALID, NETWORK. */
export async function pinKernel(version: string, options: PinKernelOptions): Promise<LockEntry> {
  const { store, emit, signal, site, sha256 } = options;
  const { url, sums, file } = kernelTarball(version, site);
  const listed = sums === undefined ? undefined : await readSums(sums, options);
  const expected = listed?.get(file);
  if (listed !== undefined && expected === undefined) throw unknownVersion(version, { url, listed });
  let digest: { hash: string; size: number };
  try {
    digest = await store.blobs.putStream(download(url, { emit, signal }));
  } catch (error) {
    if (isGone(error)) throw unknownVersion(version, { url, listed });
    throw error;
  }
  for (const [what, wanted] of [
    ["the config", sha256],
    ["sha256sums.asc", expected],
  ])
    if (wanted !== undefined && wanted !== digest.hash)
      throw new BootwrightError("DIGEST_MISMATCH", `${url}: got sha256:${digest.hash}, ${what} says sha256:${wanted}`);
  return { type: "file", size: digest.size, sha256: digest.hash };
}

/** Undefined when the list cannot be had: a mirror need not carry it. A wrong signature is never passed over. */
async function readSums(
  url: string,
  { store, emit, signal, site }: PinKernelOptions,
): Promise<Map<string, string> | undefined> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of download(url, { emit, signal, maxSize: MAX_SUMS })) chunks.push(chunk);
  } catch (error) {
    if (!hasCode(error, "HTTP_STATUS") && !hasCode(error, "NETWORK") && !isGone(error)) throw error;
    emit({ type: "note", text: `${url} cannot be read; the tarball is pinned as it comes` });
    return undefined;
  }
  let text = Buffer.concat(chunks).toString("utf8");
  if (site.keyring === undefined)
    emit({ type: "note", text: `the signature of ${url} is not checked: set sources.kernel.keyring` });
  else text = await signedText(text, { url, keyring: site.keyring, scratch: store.blobs.temporary(), signal });
  return new Map([...text.matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)].map(([, hash, name]) => [name!, hash!]));
}

/** What the signature covers, and nothing around it. */
async function signedText(
  text: string,
  { url, keyring, scratch, signal }: { url: string; keyring: string; scratch: string; signal: AbortSignal },
): Promise<string> {
  try {
    fs.writeFileSync(scratch, text);
    const { stdout } = await run(["gpgv", "--keyring", keyring, "--output", "-", scratch], { signal });
    return stdout.toString("utf8");
  } catch (error) {
    if (!hasCode(error, "PROGRAM_FAILED")) throw error;
    throw new BootwrightError("SIGNATURE_INVALID", `${url} is not signed by a key of ${keyring}`, { cause: error });
  } finally {
    removeQuietly(scratch);
  }
}

/** Bytes; the list of a whole major version has about 300,000. */
const MAX_SUMS = 16 * 1024 * 1024;

const isGone = (error: unknown): boolean =>
  (error instanceof HttpStatusError && error.status === 404) || hasCode(error, "PATH_MISSING");

function unknownVersion(
  version: string,
  { url, listed }: { url: string; listed: ReadonlyMap<string, string> | undefined },
): BootwrightError {
  const series = version
    .replace(/-rc\d+$/, "")
    .split(".")
    .slice(0, 2)
    .join(".");
  const versions = [...(listed?.keys() ?? [])].flatMap((name) => /^linux-([\d.]+)\.tar\.xz$/.exec(name)?.[1] ?? []);
  const near = versions.filter((one) => one === series || one.startsWith(`${series}.`)).sort(byNumber);
  const has =
    listed === undefined
      ? "there is no list of what there is"
      : near.length === 0
        ? `there is no ${series} at all; the newest are ${versions.sort(byNumber).slice(-3).join(", ") || "none"}`
        : `of ${series} there are ${near.length > 4 ? `${near[0]} to ${near.at(-1)}` : near.join(", ")}`;
  return new BootwrightError("KERNEL_UNKNOWN", `there is no Linux ${version}: ${has}`, {
    detail: `looked for ${url}`,
    hint: "check `source.version`; a version is like 6.12, 6.12.48 or 6.18-rc3",
  });
}

const byNumber = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });
