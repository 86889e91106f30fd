/** The stage that makes the lowest layer of an initramfs: BusyBox with its links, its init files, device nodes and mount points. */

import { comparePaths } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { canonicalJson, type Json } from "../base/json.ts";
import { type FileTree, parentPath, type TreeEntry } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { BlobArtifact, TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { appletNames } from "./applets.ts";
import { type BusyboxInitOptions, busyboxInitFiles, type InitFile } from "./busybox-init.ts";
import { rootInitFiles } from "./root-init.ts";

export interface BaseTreeOptions {
  readonly name: string;
  /** "busybox", "none", or the path of a program that becomes /init. */
  readonly init: string;
  /** A tree that holds BusyBox: its package, or a lone file. Only with init "busybox". */
  readonly busybox?: TreeInput;
  /** The load lists that the modules stage made: { first, later }, JSON arrays of paths. */
  readonly loadList?: BlobInput;
  /** Lead to the root file system of the command line instead of being the system. */
  readonly root: boolean;
  /** Of a root that is led to: open verified images only. */
  readonly verify?: boolean;
  /** Seconds, where it is to be armed. */
  readonly watchdog?: number | undefined;
  /** The text of guest/agent.sh, with init "busybox" and `settings.agent`. */
  readonly agentScript: string;
  /** The text of guest/partuuid.sh, for what leads to a root. */
  readonly partuuidScript: string;
  readonly settings: Omit<BusyboxInitOptions, "modules" | "laterModules">;
}

type BaseInputs = { busybox: TreeInput | undefined; loadList: BlobInput | undefined };

export function initramfsBase(options: BaseTreeOptions): Stage<BaseInputs, { tree: TreeArtifact }> {
  const { init, settings, agentScript } = options;
  const withAgent = init === "busybox" && settings.agent && !options.root;
  return defineStage<BaseInputs, { tree: TreeArtifact }>({
    name: options.name,
    kind: "initramfs-base",
    version: 3, // Since 3, modules in two steps.
    inputs: { busybox: options.busybox, loadList: options.loadList },
    params: JSON.parse(
      canonicalJson({
        init,
        ...(options.root && { root: true }),
        ...(options.verify && { verify: true }),
        settings: settings as unknown as Json,
        // The scripts are code of ours: an edit of theirs must make the layer again.
        scripts: digestOf(canonicalJson(initFiles(options, NO_MODULES) as unknown as Json)).hash,
        ...(withAgent && { agent: digestOf(agentScript).hash }),
      }),
    ),
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const entries = new Map<string, TreeEntry>();
      const add = (entry: TreeEntry) => void entries.set(entry.path, entry);
      for (const entry of SKELETON) add(entry);
      if (init === "busybox") addBusybox(add, { binary: busyboxBinary(store.getTree(inputs.busybox!)), store });
      else if (init !== "none") add({ type: "symlink", path: "init", mode: 0o777, uid: 0, gid: 0, target: init });
      if (init === "busybox") {
        if (options.root) entries.set("sysroot", directory("sysroot"));
        const modules = inputs.loadList === undefined ? NO_MODULES : loadList(store, inputs.loadList);
        for (const [path, { content, mode }] of Object.entries(initFiles(options, modules)))
          add({ type: "file", path: path.slice(1), mode, uid: 0, gid: 0, content: store.blobs.put(content) });
      }
      if (withAgent)
        add({
          type: "file",
          path: "usr/lib/bootwright/agent",
          mode: 0o755,
          uid: 0,
          gid: 0,
          content: store.blobs.put(agentScript),
        });
      return { tree: store.putTree(withParents(entries)) };
    },
  });
}

interface LoadLists {
  readonly first: readonly string[];
  readonly later: readonly string[];
}

const NO_MODULES: LoadLists = { first: [], later: [] };

function initFiles(
  { init, root, verify = false, watchdog, partuuidScript: partuuid, settings }: BaseTreeOptions,
  { first, later }: LoadLists,
): Record<string, InitFile> {
  if (init !== "busybox") return {};
  const options = { ...settings, modules: first, laterModules: later };
  return root ? rootInitFiles({ ...options, verify, watchdog, partuuid }) : busyboxInitFiles(options);
}

const directory = (path: string, mode = 0o755): TreeEntry => ({ type: "directory", path, mode, uid: 0, gid: 0 });

/** The kernel opens /dev/console before any mount: an embedded initramfs without it has a mute init. */
const SKELETON: FileTree = [
  directory(""),
  directory("dev"),
  { type: "char", path: "dev/console", mode: 0o600, uid: 0, gid: 0, major: 5, minor: 1 },
  { type: "char", path: "dev/null", mode: 0o666, uid: 0, gid: 0, major: 1, minor: 3 },
  directory("proc", 0o555),
  directory("root", 0o700),
  directory("run"),
  directory("sys", 0o555),
  directory("tmp", 0o1777),
];

function addBusybox(
  add: (entry: TreeEntry) => void,
  { binary, store }: { binary: TreeEntry & { type: "file" }; store: Store },
): void {
  const names = appletNames(store.readContent(binary.content));
  add({ ...binary, path: "bin/busybox", mode: 0o755, uid: 0, gid: 0 });
  const link = (path: string, target: string) => add({ type: "symlink", path, mode: 0o777, uid: 0, gid: 0, target });
  for (const name of names) if (name !== "busybox") link(`bin/${name}`, "busybox");
  link("sbin", "bin");
  link("init", "bin/busybox");
  const account = (path: string, content: string, mode: number) =>
    add({ type: "file", path, mode, uid: 0, gid: 0, content: store.blobs.put(content) });
  account("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644);
  account("etc/group", "root:x:0:\ntty:x:5:\n", 0o644);
  account("etc/shadow", "root:!:1::::::\n", 0o600);
}

function busyboxBinary(tree: FileTree): TreeEntry & { type: "file" } {
  for (const path of ["", "bin/busybox", "usr/bin/busybox"]) {
    const entry = tree.find((candidate) => candidate.path === path);
    if (entry?.type === "file") return entry;
  }
  throw new BootwrightError("UNSUPPORTED", "the package holds no bin/busybox");
}

const loadList = (store: Store, list: BlobArtifact): LoadLists =>
  JSON.parse(store.blobs.readAll(list).toString()) as LoadLists;

function withParents(entries: Map<string, TreeEntry>): FileTree {
  for (const path of [...entries.keys()]) {
    for (let parent = parentPath(path); parent !== "" && !entries.has(parent); parent = parentPath(parent))
      entries.set(parent, directory(parent));
  }
  return [...entries.values()].sort((a, b) => comparePaths(a.path, b.path));
}
