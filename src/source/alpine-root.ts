/**
 * The stages that install Alpine packages into a root: the trees one above the other with apk's database; then the packages'
 * scripts in a sandbox, and what these have changed. Decision 0018 says why it is made so.
 */
import { createHash } from "node:crypto";
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { apkScriptName, formatInstalled, formatTriggers, triggersOf } from "../formats/apk-database.ts";
import type { ApkControl } from "../formats/apk-package.ts";
import type { FileEntry, FileTree, TreeEntry } from "../formats/filetree.ts";
import { encodeTar } from "../formats/tar-writer.ts";
import { TreeBuilder } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";

export interface AlpinePackage {
  readonly name: string;
  /** Bytes of the package file. */
  readonly size: number;
  readonly tree: TreeInput;
  readonly control: BlobInput;
}

export type UnpackedAlpine = {
  readonly tree: TreeArtifact;
  /** What the scripts see: a tar, without devices, since nobody there may make them. */
  readonly plain: BlobArtifact;
  /** Tar of the scripts. */
  readonly scripts: BlobArtifact;
  /** "FILE ARGUMENTS" a line: what to run, in order. */
  readonly order: BlobArtifact;
};

type Inputs = { trees: readonly TreeInput[]; controls: readonly BlobInput[] };

/** `packages` in the order of installation. Throws TREE_CONFLICT. */
export function alpineUnpacked({
  name,
  packages,
  world,
  arch,
  epoch,
}: {
  name: string;
  packages: readonly AlpinePackage[];
  /** What was asked for, as in etc/apk/world. */
  world: readonly string[];
  arch: string;
  epoch: number;
}): Stage<Inputs, UnpackedAlpine> {
  return defineStage<Inputs, UnpackedAlpine>({
    name,
    kind: "alpine-root",
    version: 1,
    inputs: { trees: packages.map(({ tree }) => tree), controls: packages.map(({ control }) => control) },
    params: { sizes: packages.map(({ size }) => size), world: [...world], arch, epoch },
    outputs: ["tree", "plain", "scripts", "order"],
    run: async ({ inputs, store }) => {
      const builder = new TreeBuilder();
      const installed = packages.map(({ size }, i) => ({
        size,
        control: JSON.parse(store.blobs.readAll(inputs.controls[i]!).toString()) as ApkControl,
        tree: store.getTree(inputs.trees[i]!),
      }));
      for (const { control, tree } of installed) builder.addTree(tree, { origin: `package ${control.name}` });
      const reader = store.reader();
      try {
        const checksum = (entry: TreeEntry & { type: "file" | "symlink" }): string => {
          const hash = createHash("sha1");
          if (entry.type === "symlink") hash.update(entry.target);
          else for (const chunk of reader.read(entry.content)) hash.update(chunk);
          return hash.digest("hex");
        };
        const scripts = scriptFiles(installed, store);
        const scriptsTar = Buffer.concat([...encodeTar(scripts, { read: reader.read, mtime: epoch })].map(copy));
        const file = (path: string, bytes: Buffer | string, mode = 0o644): void =>
          builder.add(
            { type: "file", path, mode, uid: 0, gid: 0, content: store.blobs.put(bytes) },
            { origin: "apk's database" },
          );
        file("lib/apk/db/installed", formatInstalled(installed, checksum));
        file("lib/apk/db/scripts.tar", scriptsTar);
        file("lib/apk/db/triggers", formatTriggers(installed));
        file("lib/apk/db/lock", "", 0o600);
        file("etc/apk/world", `${[...world].sort().join("\n")}\n`);
        file("etc/apk/arch", `${arch}\n`);
        const tree = builder.build();
        const plain = tree.filter(({ type }) => type !== "char" && type !== "block" && type !== "socket");
        return {
          tree: store.putTree(tree),
          plain: blobArtifact(store.blobs.putSync(encodeTar(plain, { read: reader.read, mtime: epoch }))),
          scripts: blobArtifact(store.blobs.put(scriptsTar)),
          order: blobArtifact(store.blobs.put(scriptOrder(installed, tree))),
        };
      } finally {
        reader.close();
      }
    },
  });
}

interface Installed {
  readonly control: ApkControl;
}

const copy = (chunk: Uint8Array): Buffer => Buffer.from(chunk);

function scriptFiles(installed: readonly Installed[], store: Store): FileTree {
  const files = installed.flatMap(({ control }) =>
    Object.entries(control.scripts).map(([script, text]): FileEntry => {
      const path = apkScriptName(control, script);
      return { type: "file", path, mode: 0o755, uid: 0, gid: 0, content: store.blobs.put(text) };
    }),
  );
  return files.sort((a, b) => comparePaths(a.path, b.path));
}

/** Of a fresh root: what comes before installation, what comes after, then triggers with the directories that are there. */
function scriptOrder(installed: readonly Installed[], tree: FileTree): string {
  const directories = tree.filter(({ type }) => type === "directory").map(({ path }) => `/${path}`);
  const lines = ["pre-install", "post-install"].flatMap((script) =>
    installed
      .filter(({ control }) => control.scripts[script] !== undefined)
      .map(({ control }) => `${apkScriptName(control, script)} ${control.version}`),
  );
  for (const { control } of installed) {
    const patterns = triggersOf(control);
    if (control.scripts.trigger === undefined) continue;
    const hit = directories.filter((dir) => patterns.some((pattern) => matches(pattern, dir)));
    if (hit.length > 0) lines.push(`${apkScriptName(control, "trigger")} ${hit.join(" ")}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** As fnmatch(3) with FNM_PATHNAME, of which packages use "*" only. */
function matches(pattern: string, dir: string): boolean {
  const expression = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
  return new RegExp(`^${expression}$`).test(dir);
}

/** "OWNER PATH" a line, in order: what scripts have asked chown for, which a sandbox with one user cannot do. */
export function alpineConfigured({
  name,
  before,
  after,
  owners,
}: {
  name: string;
  before: TreeInput;
  /** The root as the scripts have left it. */
  after: TreeInput;
  owners: BlobInput;
}): Stage<{ before: TreeInput; after: TreeInput; owners: BlobInput }, { tree: TreeArtifact }> {
  return defineStage({
    name,
    kind: "alpine-configured",
    version: 1,
    inputs: { before, after, owners },
    params: {},
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const merged = mergeChanges(store.getTree(inputs.before), store.getTree(inputs.after));
      const passwd = (path: string): string => {
        const entry = merged.find((one) => one.path === path);
        return entry?.type === "file" ? store.readContent(entry.content).toString() : "";
      };
      const ids = { user: idsOf(passwd("etc/passwd")), group: idsOf(passwd("etc/group")) };
      const lines = store.blobs.readAll(inputs.owners).toString().split("\n").filter(Boolean);
      return { tree: store.putTree(giveFiles(merged, lines, ids)) };
    },
  });
}

/** What is as before keeps owner and rights; the rest is root's. */
function mergeChanges(before: FileTree, after: FileTree): TreeEntry[] {
  const now = new Map(after.map((entry) => [entry.path, entry]));
  const out: TreeEntry[] = [];
  const known = new Set<string>();
  for (const entry of before) {
    known.add(entry.path);
    const changed = now.get(entry.path);
    const unseen = entry.type === "char" || entry.type === "block" || entry.type === "socket" || entry.path === "";
    if (changed === undefined) {
      if (unseen) out.push(entry);
      continue;
    }
    out.push(unseen || isSame(entry, changed) ? entry : { ...unlinked(changed), uid: entry.uid, gid: entry.gid });
  }
  for (const entry of after) if (!known.has(entry.path)) out.push(unlinked(entry));
  return out.sort((a, b) => comparePaths(a.path, b.path));
}

/** setuid goes when a file passes through the sandbox, so it is no change. */
function isSame(a: TreeEntry, b: TreeEntry): boolean {
  if (a.type !== b.type) return false;
  if (a.type === "symlink") return b.type === "symlink" && a.target === b.target;
  if ((a.mode & 0o777) !== (b.mode & 0o777)) return false;
  return a.type !== "file" || (b.type === "file" && a.content.hash === b.content.hash);
}

/** Hard links that a script has made are files of their own: numbers of two trees do not mix. */
function unlinked(entry: TreeEntry): TreeEntry {
  if (entry.type !== "file" || entry.link === undefined) return entry;
  const { link: _, ...rest } = entry;
  return rest;
}

type Ids = ReadonlyMap<string, number>;

/** Name → number, of passwd(5) and group(5). */
const idsOf = (text: string): Ids =>
  new Map(text.split("\n").map((line) => [line.split(":")[0]!, Number(line.split(":")[2])]));

function giveFiles(tree: readonly TreeEntry[], lines: readonly string[], ids: { user: Ids; group: Ids }): TreeEntry[] {
  const entries = new Map(tree.map((entry) => [entry.path, entry]));
  const number = (text: string, of: Ids): number => {
    const id = /^\d+$/.test(text) ? Number(text) : of.get(text);
    if (id === undefined) throw new BootwrightError("PACKAGE_FAILED", `chown: the root has no user or group ${text}`);
    return id;
  };
  for (const line of lines) {
    const [spec = "", path = ""] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
    const [user = "", group] = spec.split(/[:.]/);
    const entry = entries.get(path);
    if (entry === undefined) continue;
    const uid = user === "" ? entry.uid : number(user, ids.user);
    const gid = group === undefined || group === "" ? entry.gid : number(group, ids.group);
    entries.set(path, { ...entry, uid, gid });
  }
  return [...entries.values()];
}
