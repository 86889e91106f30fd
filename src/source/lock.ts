/**
 * `bootwright.lock`: what each outside request was resolved to. JSON with sorted keys and one line a file, so that a
 * change reads well in review. It names packages and the project's own addresses, never a mirror's host.
 */

import { withoutAccount } from "../base/account.ts";
import { BootwrightError, messageOf } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";

/** A Debian package as pinned. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** Below the archive's root: "pool/main/b/busybox/…". */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
}

export type LockEntry =
  | { readonly type: "debian"; readonly packages: readonly LockedPackage[] }
  | { readonly type: "alpine"; readonly packages: readonly LockedPackage[] }
  | { readonly type: "file"; readonly size: number; readonly sha256: string }
  | { readonly type: "git"; readonly commit: string }
  | LockedBundle
  | LockedImage
  | LockedRelease;

/** An artifact of a release as pinned. */
export interface LockedRelease {
  readonly type: "release";
  /** The release's. */
  readonly version: string;
  /** SHA-256 of the release's document. */
  readonly release: string;
  /** Bytes. */
  readonly size: number;
  /** Of the artifact. */
  readonly sha256: string;
  readonly address: string;
}

/** An image of a registry as pinned: all that planning needs to know of it. */
export interface LockedImage {
  readonly type: "image";
  /** SHA-256 of what the reference led to: the index of all platforms, where there is one. */
  readonly digest: string;
  /** SHA-256 of the platform's manifest. */
  readonly manifest: string;
  /** The lowest first. */
  readonly layers: readonly LockedLayer[];
}

export interface LockedLayer {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the uncompressed tar. */
  readonly diffId: string;
}

/** A bundle of a catalog as pinned. */
export interface LockedBundle {
  readonly type: "bundle";
  readonly version: string;
  readonly arch: string;
  /** Of the index that it was found in; 0 for the user's own library. */
  readonly serial: number;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
}

/** Request → pin. The request's text says all that the answer depends on: "debian amd64 busybox-static". */
export type Lock = Readonly<Record<string, LockEntry>>;

const VERSION = 1;

/** The lock beside a config; empty when there is none. Throws LOCK_INVALID. */
export function loadLock(file: string): Lock {
  const bytes = readIfExists(file);
  return bytes === undefined ? {} : parseLock(bytes.toString("utf8"), file);
}

/** Survives power loss: nothing can make these pins again. */
export function writeLock(file: string, lock: Lock): void {
  writeFileAtomic(file, formatLock(lock), { sync: true });
}

export function formatLock(lock: Lock): string {
  const lines = Object.entries(lock)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([request, entry]) => `    ${JSON.stringify(request)}: ${formatEntry(entry)}`);
  return `{\n  "version": ${VERSION},\n  "pins": {\n${lines.join(",\n")}\n  }\n}\n`;
}

export function parseLock(text: string, file: string): Lock {
  const fail = (why: string) => new BootwrightError("LOCK_INVALID", `${file}: ${why}`, { location: { file } });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail(messageOf(error));
  }
  if (!isRecord(value) || !isRecord(value.pins)) throw fail("not a lock file");
  if (value.version !== VERSION)
    throw fail(`version ${JSON.stringify(value.version)} is not known to this Bootwright (it writes ${VERSION})`);
  const lock: Record<string, LockEntry> = {};
  for (const [request, entry] of Object.entries(value.pins)) {
    const parsed = parseEntry(entry);
    if (parsed === undefined) throw fail(`the pin of ${JSON.stringify(request)} is damaged`);
    // Written by an older Bootwright, it may have an account in it.
    lock[withoutAccount(request)] = parsed;
  }
  return lock;
}

export interface LockChange {
  readonly request: string;
  readonly before?: string;
  readonly after?: string;
}

export function diffLocks(before: Lock, after: Lock): LockChange[] {
  const changes: LockChange[] = [];
  for (const request of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const [old, now] = [before[request], after[request]];
    if (old && now && formatEntry(old) === formatEntry(now)) continue;
    changes.push({ request, ...(old && { before: describePin(old) }), ...(now && { after: describePin(now) }) });
  }
  return changes;
}

/** "6.1.192-2", "3 packages", "commit 1a2b3c4d", "sha256:…". */
export function describePin(entry: LockEntry): string {
  switch (entry.type) {
    case "debian":
    case "alpine": {
      const [first, ...rest] = entry.packages;
      return first === undefined
        ? "nothing"
        : rest.length === 0
          ? `${first.name} ${first.version}`
          : entry.packages.map((p) => `${p.name} ${p.version}`).join(", ");
    }
    case "file":
      return `sha256:${entry.sha256.slice(0, 12)}`;
    case "image":
      return `sha256:${entry.digest.slice(0, 12)}`;
    case "release":
      return `${entry.version} (sha256:${entry.sha256.slice(0, 12)})`;
    case "bundle":
      return `${entry.version} (${entry.arch}, sha256:${entry.sha256.slice(0, 12)})`;
    default:
      return `commit ${entry.commit.slice(0, 12)}`;
  }
}

function formatEntry(entry: LockEntry): string {
  if (entry.type === "image") {
    const layers = entry.layers.map(
      ({ sha256, size, diffId }) => `        ${JSON.stringify({ sha256, size, diffId })}`,
    );
    const { digest, manifest } = entry;
    return `{"type":"image","digest":"${digest}","manifest":"${manifest}","layers":[\n${layers.join(",\n")}\n    ]}`;
  }
  if (entry.type !== "debian" && entry.type !== "alpine") return JSON.stringify(entry);
  const packages = entry.packages.map(
    (p) =>
      `        ${JSON.stringify({ name: p.name, version: p.version, arch: p.arch, path: p.path, size: p.size, sha256: p.sha256 })}`,
  );
  return `{"type":"${entry.type}","packages":[\n${packages.join(",\n")}\n    ]}`;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isSha256 = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isText = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length < 1024 && !/[\u0000-\u001f]/.test(value);

function parseEntry(value: unknown): LockEntry | undefined {
  if (!isRecord(value)) return undefined;
  if (value.type === "file" && isSize(value.size) && isSha256(value.sha256))
    return { type: "file", size: value.size, sha256: value.sha256 };
  if (value.type === "git" && typeof value.commit === "string" && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(value.commit))
    return { type: "git", commit: value.commit };
  if (value.type === "image") return parseImage(value);
  if (value.type === "release") {
    const { version, release, size, sha256, address } = value;
    if (!isText(version) || !isSha256(release) || !isSize(size) || !isSha256(sha256) || !isText(address))
      return undefined;
    return { type: "release", version, release, size, sha256, address };
  }
  if (value.type === "bundle") {
    const { version, arch, serial, size, sha256 } = value;
    if (!isText(version) || !isText(arch) || !isSize(serial) || !isSize(size) || !isSha256(sha256)) return undefined;
    return { type: "bundle", version, arch, serial, size, sha256 };
  }
  if ((value.type !== "debian" && value.type !== "alpine") || !Array.isArray(value.packages)) return undefined;
  const packages: LockedPackage[] = [];
  for (const p of value.packages as unknown[]) {
    if (
      !isRecord(p) ||
      !isText(p.name) ||
      !isText(p.version) ||
      !isText(p.arch) ||
      !isText(p.path) ||
      !isSize(p.size) ||
      !isSha256(p.sha256)
    )
      return undefined;
    if (p.path.split("/").includes("..") || p.path.startsWith("/")) return undefined;
    packages.push({ name: p.name, version: p.version, arch: p.arch, path: p.path, size: p.size, sha256: p.sha256 });
  }
  return { type: value.type, packages };
}

function parseImage({ digest, manifest, layers }: Record<string, unknown>): LockedImage | undefined {
  if (!isSha256(digest) || !isSha256(manifest) || !Array.isArray(layers)) return undefined;
  const parsed: LockedLayer[] = [];
  for (const layer of layers as unknown[]) {
    if (!isRecord(layer)) return undefined;
    const { sha256, size, diffId } = layer;
    if (!isSha256(sha256) || !isSize(size) || !isSha256(diffId)) return undefined;
    parsed.push({ sha256, size, diffId });
  }
  return { type: "image", digest, manifest, layers: parsed };
}
