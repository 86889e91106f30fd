/**
 * What apk keeps of a root's packages below lib/apk/db (apk-tools, src/database.c): `installed`, `triggers`, and the names in
 * `scripts.tar`; so that apk in the running system knows and updates them.
 */
import { bytesFromPath } from "../base/bytes.ts";
import { type ApkDependency, describeApkDependency, parseApkDependencies } from "./apk-index.ts";
import type { ApkControl } from "./apk-package.ts";
import { baseName, type FileTree, parentPath, type TreeEntry } from "./filetree.ts";

export interface InstalledApk {
  readonly control: ApkControl;
  /** Bytes of the package file. */
  readonly size: number;
  readonly tree: FileTree;
}

/** `checksum`: SHA-1 of a file's content or a link's target, hex. */
export function formatInstalled(
  packages: readonly InstalledApk[],
  checksum: (entry: TreeEntry & { type: "file" | "symlink" }) => string,
): Buffer {
  return Buffer.concat(packages.flatMap((one) => [...stanza(one, checksum), Buffer.from("\n")]));
}

/** "Q1" and base64, as the database calls packages and contents. */
export const apkChecksum = (sha1: string): string => `Q1${Buffer.from(sha1, "hex").toString("base64")}`;

/** A script's name in scripts.tar. */
export const apkScriptName = ({ name, version, identity }: ApkControl, script: string): string =>
  `${name}-${version}.${apkChecksum(identity)}.${script}`;

export const triggersOf = (control: ApkControl): readonly string[] => words(control, "triggers");

export const formatTriggers = (packages: readonly InstalledApk[]): string =>
  packages
    .map(({ control }) => ({ control, triggers: triggersOf(control) }))
    .filter(({ triggers }) => triggers.length > 0)
    .map(({ control, triggers }) => `${apkChecksum(control.identity)} ${triggers.join(" ")}\n`)
    .join("");

/** A single value in .PKGINFO, and its letter in the database. */
const VALUES = [
  ["T", "pkgdesc"],
  ["U", "url"],
  ["L", "license"],
  ["o", "origin"],
  ["m", "maintainer"],
  ["t", "builddate"],
  ["c", "commit"],
  ["k", "provider_priority"],
] as const;
/** Lists, one line for each word in .PKGINFO. */
const LISTS = [
  ["D", "depend"],
  ["p", "provides"],
  ["i", "install_if"],
  ["r", "replaces"],
] as const;

function* stanza(
  { control, size, tree }: InstalledApk,
  checksum: (entry: TreeEntry & { type: "file" | "symlink" }) => string,
): Generator<Buffer> {
  const value = (name: string): string | undefined => control.fields.find(([field]) => field === name)?.[1];
  const lines = [
    `C:${apkChecksum(control.identity)}`,
    `P:${control.name}`,
    `V:${control.version}`,
    `A:${control.arch}`,
    `S:${size}`,
    `I:${value("size") ?? 0}`,
    ...VALUES.flatMap(([letter, name]) => (value(name) === undefined ? [] : [`${letter}:${value(name)}`])),
    ...LISTS.flatMap(([letter, name]) => {
      const all = dependencies(control, name);
      return all.length === 0 ? [] : [`${letter}:${all.map(describeApkDependency).join(" ")}`];
    }),
  ];
  yield Buffer.from(`${lines.join("\n")}\n`);
  const inside = new Map<string, TreeEntry[]>();
  for (const entry of tree) {
    if (entry.path === "") continue;
    if (entry.type === "directory") {
      if (!inside.has(entry.path)) inside.set(entry.path, []);
      continue;
    }
    const dir = parentPath(entry.path);
    inside.set(dir, [...(inside.get(dir) ?? []), entry]);
  }
  const directories = new Map(tree.filter(({ type }) => type === "directory").map((entry) => [entry.path, entry]));
  for (const [path, entries] of inside) {
    yield line("F:", path);
    const own = directories.get(path);
    if (own !== undefined && !(own.uid === 0 && own.gid === 0 && own.mode === 0o755))
      yield Buffer.from(`M:${own.uid}:${own.gid}:${own.mode.toString(8)}\n`);
    for (const entry of entries) {
      yield line("R:", baseName(entry.path));
      const usual = entry.type === "symlink" ? 0o777 : 0o644;
      if (!(entry.uid === 0 && entry.gid === 0 && entry.mode === usual))
        yield Buffer.from(`a:${entry.uid}:${entry.gid}:${entry.mode.toString(8)}\n`);
      if (entry.type === "file" || entry.type === "symlink") yield Buffer.from(`Z:${apkChecksum(checksum(entry))}\n`);
    }
  }
}

const line = (letter: string, path: string): Buffer =>
  Buffer.concat([Buffer.from(letter), bytesFromPath(path), Buffer.from("\n")]);

const words = (control: ApkControl, name: string): readonly string[] =>
  control.fields.filter(([field]) => field === name).flatMap(([, value]) => value.split(/\s+/).filter(Boolean));

const dependencies = (control: ApkControl, name: string): readonly ApkDependency[] =>
  words(control, name).flatMap(parseApkDependencies);
