/** An Alpine mirror: its signed indexes, and packages that are checked against them before they are pinned. */
import fs from "node:fs";
import path from "node:path";
import { download } from "../base/download.ts";
import { BootwrightError, hasCode, ioError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { HttpStatusError } from "../base/http.ts";
import { readGzipMember, readSegment, signaturesOf, verifyApkSignature } from "../formats/apk-archive.ts";
import { type ApkPackage, parseApkIndex } from "../formats/apk-index.ts";
import { APK_HEAD, readApkControl } from "../formats/apk-package.ts";
import { compareApkVersions } from "../formats/apk-version.ts";
import type { Stage } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { alpineClosure } from "./alpine-closure.ts";
import { fetchStage } from "./fetch.ts";
import type { LockedPackage } from "./lock.ts";

export interface AlpineSource {
  /** Without a slash at its end. */
  readonly mirror: string;
  /** "v3.22", "edge". */
  readonly branch: string;
  readonly repositories: readonly string[];
  /** Files of public keys, absolute. Their names are what signatures call them. */
  readonly keys: readonly string[];
}

interface Context {
  readonly store: Store;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

const MAX_INDEX = 64 * 1024 * 1024;

/**
 * Packages and all that they need, in the order of installation. Their bytes go into the store at once: an index has only
 * SHA-1 of a package's control segment, and a pin is SHA-256 of the whole. Throws SIGNATURE_INVALID, DIGEST_MISMATCH, PACKAGE_UNKNOWN.
 */
export async function pinAlpinePackages(
  source: AlpineSource,
  { packages, arch }: { packages: readonly string[]; arch: string },
  context: Context,
): Promise<LockedPackage[]> {
  const keys = loadAlpineKeys(source.keys);
  const newest = new Map<string, ApkPackage & { readonly at: string }>();
  for (const repository of source.repositories) {
    const at = `${source.branch}/${repository}/${arch}`;
    for (const one of await fetchIndex(`${source.mirror}/${at}/APKINDEX.tar.gz`, { keys, ...context })) {
      const known = newest.get(one.name);
      if (known === undefined || compareApkVersions(one.version, known.version) > 0)
        newest.set(one.name, { ...one, at });
    }
  }
  const chosen = alpineClosure([...newest.values()], packages);
  const pins: LockedPackage[] = [];
  for (const { name } of chosen) pins.push(await pinPackage(newest.get(name)!, { source, keys, arch, ...context }));
  return pins;
}

/** A pinned package's file. */
export function fetchAlpinePackage(
  pin: LockedPackage,
  { mirror, offline }: { mirror: string; offline: boolean },
): Stage<Record<never, never>, { file: BlobArtifact }> {
  const pinned = { hash: pin.sha256, size: pin.size };
  return fetchStage(`fetch:${pin.name}`, pinned, {
    context: { offline },
    what: `${pin.name} ${pin.version}`,
    open: (options) => packageBytes(pin, { ...options, url: `${mirror}/${pin.path}` }),
  });
}

/** A branch keeps only the newest version of a package. */
async function* packageBytes(
  pin: LockedPackage,
  { url, ...options }: { url: string; emit: Emit; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  try {
    yield* download(url, { ...options, maxSize: pin.size });
  } catch (error) {
    if (!(error instanceof HttpStatusError && error.status === 404) && !hasCode(error, "PATH_MISSING")) throw error;
    throw new BootwrightError("PACKAGE_GONE", `the mirror no longer has ${pin.name} ${pin.version}`, {
      hint: "bootwright update",
    });
  }
}

/** PEM by file name. Throws PATH_MISSING. */
export function loadAlpineKeys(files: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    files.map((file) => {
      if (!fs.existsSync(file))
        throw new BootwrightError("PATH_MISSING", `sources.alpine.keys: ${file} does not exist`, {
          hint: "the keys of a release are in its package alpine-keys",
        });
      try {
        return [path.basename(file), fs.readFileSync(file, "utf8")];
      } catch (error) {
        throw ioError("read", file, error);
      }
    }),
  );
}

/** Throws SIGNATURE_INVALID, FORMAT_INVALID. */
export async function readAlpineIndex(
  bytes: Buffer,
  { keys, what }: { keys: ReadonlyMap<string, string>; what: string },
): Promise<ApkPackage[]> {
  const first = readGzipMember(bytes, what);
  const signed = bytes.subarray(first.length);
  const signatures = signaturesOf(await readSegment(first.content, what));
  verifyApkSignature(signed, { signatures, keys, what });
  const index = (await readSegment(readGzipMember(signed, what).content, what)).get("APKINDEX");
  if (index === undefined) throw new BootwrightError("FORMAT_INVALID", `${what}: no APKINDEX in it`);
  return parseApkIndex(index.toString("utf8"), what);
}

async function fetchIndex(
  url: string,
  { keys, emit, signal }: Context & { keys: ReadonlyMap<string, string> },
): Promise<ApkPackage[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of download(url, { emit, signal, maxSize: MAX_INDEX })) chunks.push(chunk);
  return readAlpineIndex(Buffer.concat(chunks), { keys, what: url });
}

async function pinPackage(
  one: ApkPackage & { readonly at: string },
  {
    source,
    keys,
    arch,
    store,
    emit,
    signal,
  }: Context & { source: AlpineSource; keys: ReadonlyMap<string, string>; arch: string },
): Promise<LockedPackage> {
  const { name, version, size } = one;
  const what = `${name} ${version}`;
  // A package for every processor says so, and lies with the others all the same.
  if (one.arch !== arch && one.arch !== "noarch")
    throw new BootwrightError("FORMAT_INVALID", `${what} is for ${one.arch}, in an index for ${arch}`);
  const at = `${one.at}/${name}-${version}.apk`;
  const digest = await store.blobs.putStream(download(`${source.mirror}/${at}`, { emit, signal, maxSize: size }));
  const head = store.blobs.read(digest, { length: Math.min(APK_HEAD, digest.size) });
  const control = await readApkControl(Buffer.concat([...head]), { what, keys });
  if (control.identity !== one.identity || digest.size !== size || control.name !== name || control.version !== version)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `${what}: the mirror's file is another (${control.name} ${control.version}, ${digest.size} bytes, control segment sha1:${control.identity}) than its signed index says (${size} bytes, sha1:${one.identity})`,
    );
  return { name, version, arch: one.arch, path: at, size, sha256: digest.hash };
}
