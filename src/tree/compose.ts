/** The stage that makes a tree: layers in order, removals, files, users, permissions last. */
import { posix } from "node:path";
import { BootwrightError } from "../base/errors.ts";
import type { FileEntry, FileTree, TreeEntry } from "../formats/filetree.ts";
import { safePath } from "../formats/filetree.ts";
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { type Account, type AccountFiles, type Group, mergeAccounts } from "./accounts.ts";
import { requireBudget } from "./budget.ts";
import { globMatcher } from "./glob.ts";

/** A file that the config spells out. `layer` names an input tree whose entry "" is the content. */
export type DeclaredFile =
  | {
      readonly type: "content";
      readonly content: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: "copy";
      readonly layer: number;
      readonly mode: number | null;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: "symlink"; readonly target: string; readonly uid: number; readonly gid: number }
  | {
      readonly type: "char" | "block";
      readonly major: number;
      readonly minor: number;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: "directory"; readonly mode: number; readonly uid: number; readonly gid: number };

export interface Placement {
  /** Said in errors. */
  readonly origin: string;
  readonly to: string;
  readonly strip: number;
  readonly subdir: string;
}

export interface ComposeOptions {
  readonly name: string;
  readonly layers: readonly { readonly tree: TreeInput; readonly placement: Placement }[];
  /** Contents for `copy` files. */
  readonly copies: readonly TreeInput[];
  readonly files: Readonly<Record<string, DeclaredFile>>;
  readonly remove: readonly string[];
  readonly users: readonly (Account & { readonly sshKeys?: number })[];
  readonly groups: readonly Group[];
  readonly hostname?: string | undefined;
  /** Programs that must be there and executable: what `run` and `services` start. */
  readonly programs?: readonly string[];
  /** Of lib/firmware, keep only what these globs match, and what `firmware` (a JSON array of names) lists. */
  readonly firmware?: { readonly globs: readonly string[]; readonly named: BlobInput | undefined };
  /** Bytes that the files may have in all. */
  readonly budget?: number | undefined;
  readonly permissions: Readonly<
    Record<
      string,
      { readonly mode?: number | undefined; readonly uid?: number | undefined; readonly gid?: number | undefined }
    >
  >;
}

export function composeTree(
  options: ComposeOptions,
): Stage<
  { layers: readonly TreeInput[]; copies: readonly TreeInput[]; firmware: BlobInput | undefined },
  { tree: TreeArtifact }
> {
  const params = {
    placements: options.layers.map(({ placement: { to, strip, subdir } }) => ({ to, strip, subdir })),
    files: options.files,
    remove: options.remove,
    users: options.users,
    groups: options.groups,
    hostname: options.hostname ?? null,
    permissions: options.permissions,
    ...(options.programs && { programs: options.programs }),
    ...(options.firmware && { firmware: options.firmware.globs }),
    ...(options.budget !== undefined && { budget: options.budget }),
  };
  return defineStage({
    name: options.name,
    kind: "tree",
    version: 3, // Since 3, accounts keep what is not said of them, and a host name is in /etc/hosts.
    inputs: {
      layers: options.layers.map(({ tree }) => tree),
      copies: options.copies,
      firmware: options.firmware?.named,
    },
    params: JSON.parse(JSON.stringify(params)),
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const builder = new TreeBuilder();
      for (const [i, layer] of inputs.layers.entries())
        builder.addTree(store.getTree(layer), options.layers[i]!.placement);
      if (options.remove.length > 0) builder.remove(globMatcher(options.remove));
      const copies = inputs.copies.map((copy) => contentOf(store.getTree(copy)));
      addFiles(builder, { files: options.files, copies, store });
      if (options.hostname !== undefined) addHostname(builder, { hostname: options.hostname, store });
      if (options.users.length + options.groups.length > 0)
        addUsers(builder, { users: options.users, groups: options.groups, copies, store });
      for (const [path, change] of Object.entries(options.permissions)) {
        const known = builder.update(safePath(path, "permissions", { absolute: true }), (entry) => ({
          ...entry,
          mode: change.mode ?? entry.mode,
          uid: change.uid ?? entry.uid,
          gid: change.gid ?? entry.gid,
        }));
        if (!known) throw new BootwrightError("NAME_UNKNOWN", `permissions: the tree has no ${path}`);
      }
      if (options.firmware !== undefined) {
        const named =
          inputs.firmware === undefined
            ? []
            : (JSON.parse(store.blobs.readAll(inputs.firmware).toString()) as string[]);
        keepFirmware(builder, [...options.firmware.globs, ...named]);
      }
      for (const program of options.programs ?? []) requireProgram(builder, program);
      const tree = builder.build();
      if (options.budget !== undefined) requireBudget(tree, { name: options.name, budget: options.budget });
      return { tree: store.putTree(tree) };
    },
  });
}

/** Compressed firmware (`x.bin.xz`) counts under its plain name, as the kernel looks for it. */
function keepFirmware(builder: TreeBuilder, patterns: readonly string[]): void {
  const wanted = globMatcher(patterns.map((pattern) => (pattern.includes("/") ? pattern : `/${pattern}`)));
  const directories = new Set([...builder.paths()].filter((path) => builder.get(path)?.type === "directory"));
  builder.remove((path) => {
    const name = /^(?:usr\/)?lib\/firmware\/(?:updates\/)?(.+)$/.exec(path)?.[1];
    return name !== undefined && !directories.has(path) && !wanted(name.replace(/\.(xz|zst)$/, ""));
  });
}

function requireProgram(builder: TreeBuilder, program: string): void {
  let path = safePath(program, "run", { absolute: true });
  let entry = builder.get(path);
  for (let hops = 0; entry?.type === "symlink" && hops < 40; hops++) {
    // As the kernel does with this tree as its root: `..` stops there.
    path = posix.resolve("/", posix.dirname(path), entry.target).slice(1);
    entry = builder.get(path);
  }
  if (entry === undefined)
    throw new BootwrightError("PATH_MISSING", `${program} is to be run, but the tree does not hold it`, {
      hint: `add it under files: { "${program}": { content: "#!/bin/sh\\n…", executable: true } }`,
    });
  if (entry.type !== "file" || (entry.mode & 0o111) === 0)
    throw new BootwrightError("CONFIG_INVALID", `${program} is to be run, but is not an executable file`, {
      hint: `files: { "${program}": { …, executable: true } }`,
    });
}

function addFiles(
  builder: TreeBuilder,
  { files, copies, store }: { files: ComposeOptions["files"]; copies: readonly FileEntry[]; store: Store },
): void {
  for (const [name, file] of Object.entries(files)) {
    const path = safePath(name, "files", { absolute: true });
    const owner = { path, uid: file.uid, gid: file.gid };
    let entry: TreeEntry;
    switch (file.type) {
      case "content":
        entry = { type: "file", ...owner, mode: file.mode, content: store.blobs.put(file.content) };
        break;
      case "copy": {
        const copy = copies[file.layer]!;
        entry = { ...copy, ...owner, mode: file.mode ?? copy.mode };
        break;
      }
      case "symlink":
        entry = { type: "symlink", ...owner, mode: 0o777, target: file.target };
        break;
      case "directory":
        entry = { ...plainDirectory(path), ...owner, mode: file.mode };
        break;
      default:
        entry = { type: file.type, ...owner, mode: file.mode, major: file.major, minor: file.minor };
    }
    builder.add(entry, { origin: "files", ownDirectories: true });
  }
}

/** In /etc/hosts, the name leads to the machine itself, also without a network (Debian's 127.0.1.1). */
function addHostname(builder: TreeBuilder, { hostname, store }: { hostname: string; store: Store }): void {
  addText(builder, store, { path: "etc/hostname", text: `${hostname}\n`, mode: 0o644 });
  const there = builder.get("etc/hosts");
  const hosts =
    there?.type === "file"
      ? store.readContent(there.content).toString("utf8")
      : "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (there !== undefined && there.type !== "file") return;
  if (hosts.split(/\s+/).includes(hostname)) return;
  const text = `${hosts.replace(/\n?$/, "\n")}127.0.1.1\t${hostname}\n`;
  addText(builder, store, { path: "etc/hosts", text, mode: 0o644 });
}

function addUsers(
  builder: TreeBuilder,
  {
    users,
    groups,
    copies,
    store,
  }: { users: ComposeOptions["users"]; groups: readonly Group[]; copies: readonly FileEntry[]; store: Store },
): void {
  const read = (path: string): string | undefined => {
    const entry = builder.get(path);
    return entry?.type === "file" ? store.readContent(entry.content).toString("utf8") : undefined;
  };
  const existing: AccountFiles = {
    passwd: read("etc/passwd") ?? "",
    group: read("etc/group") ?? "",
    shadow: read("etc/shadow") ?? "",
    gshadow: read("etc/gshadow"),
  };
  const wanted = users.map(({ sshKeys, ...user }) => ({ ...user, keys: sshKeys !== undefined }));
  const { accounts, files } = mergeAccounts({ users: wanted, groups }, existing);
  for (const [name, mode] of [
    ["passwd", 0o644],
    ["group", 0o644],
    ["shadow", 0o600],
    ["gshadow", 0o600],
  ] as const) {
    const text = files[name];
    if (text === undefined) continue;
    // Debian's own are readable for the group shadow.
    const there = builder.get(`etc/${name}`);
    const keep = there === undefined ? {} : { mode: there.mode, uid: there.uid, gid: there.gid };
    addText(builder, store, { path: `etc/${name}`, text, mode, ...keep });
  }
  for (const [i, account] of accounts.entries()) {
    const owner = { uid: account.uid, gid: account.gid };
    const home = safePath(account.home, `user ${account.name}`, { absolute: true });
    if (home !== "" && !builder.has(home))
      builder.add({ ...plainDirectory(home), ...owner, mode: 0o700 }, { origin: "users", ownDirectories: true });
    const keys = users[i]!.sshKeys;
    if (keys === undefined) continue;
    builder.add(
      { ...plainDirectory(`${home}/.ssh`), ...owner, mode: 0o700 },
      { origin: "users", ownDirectories: true },
    );
    builder.add({ ...copies[keys]!, path: `${home}/.ssh/authorized_keys`, ...owner, mode: 0o600 }, { origin: "users" });
  }
}

function addText(
  builder: TreeBuilder,
  store: Store,
  { path, text, mode, uid = 0, gid = 0 }: { path: string; text: string; mode: number; uid?: number; gid?: number },
): void {
  builder.add({ type: "file", path, mode, uid, gid, content: store.blobs.put(text) }, { origin: path });
}

function contentOf(tree: FileTree): FileEntry {
  const [entry] = tree;
  if (entry?.type !== "file" || entry.path !== "")
    throw new BootwrightError("UNSUPPORTED", "a directory cannot be copied as a file", {
      hint: "use `from: [{ dir: … }]` for directories",
    });
  return entry;
}
