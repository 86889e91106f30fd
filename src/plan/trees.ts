/** `trees`, and the files of an initramfs → stages. */
import { BootwrightError } from "../base/errors.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { importArchive } from "../source/import-archive.ts";
import { commandStage } from "../stage/command.ts";
import { type BlobInput, blobOf, type TreeInput, treeOf } from "../stage/stage.ts";
import { composeTree, type DeclaredFile, type Placement } from "../tree/compose.ts";
import { elfArchive, replaceElf, stripScript } from "../tree/strip.ts";
import { alpineTree } from "./alpine-roots.ts";
import type { PlanContext } from "./context.ts";
import { debianRootTree } from "./debian-roots.ts";
import { firmwareTree, modulesTree } from "./kernel-files.ts";
import {
  archiveTree,
  gitTree,
  localTree,
  namedSourceTree,
  ociTree,
  packageTrees,
  registryTree,
  sourceFileTree,
  toolrootTree,
} from "./sources.ts";
import { updaterTrees } from "./updates.ts";

type TreeSection = ResolvedConfig["trees"][string];
type Origin = TreeSection["from"][number];
type DeclaredInConfig = TreeSection["files"][string];

export interface TreeExtras {
  /** Layers below those of the config. */
  readonly below: readonly { readonly tree: TreeInput; readonly origin: string }[];
  readonly programs: readonly string[];
  readonly firmware: { readonly globs: readonly string[]; readonly named: BlobInput | undefined } | undefined;
}

const NO_EXTRAS: TreeExtras = { below: [], programs: [], firmware: undefined };

export function planTree(ctx: PlanContext, name: string): TreeInput {
  const stage = ctx.archName(`tree:${name}`);
  return ctx.once(stage, () => {
    const section = ctx.config.trees[name];
    if (section === undefined) throw new BootwrightError("NAME_UNKNOWN", `the config has no tree ${name}`);
    return planTreeSection(ctx, { name: stage, section, extras: NO_EXTRAS });
  });
}

export function planTreeSection(
  ctx: PlanContext,
  { name, section, extras }: { name: string; section: TreeSection; extras: TreeExtras },
): TreeInput {
  const copies: TreeInput[] = [];
  const copy: Copy = (tree) => copies.push(tree) - 1;
  const place = (file: DeclaredInConfig): DeclaredFile => declared(ctx, { file, copy });
  const files: Record<string, DeclaredFile> = {};
  const layers = extras.below.map(({ tree, origin }) => ({
    tree,
    placement: { origin, to: "/", strip: 0, subdir: "" },
  }));
  for (const origin of section.from) {
    if (origin.type === "files")
      for (const [path, file] of Object.entries(origin.files)) files[join(origin.to, path)] = place(file);
    else for (const tree of originTrees(ctx, origin)) layers.push({ tree, placement: placement(origin) });
  }
  for (const [path, file] of Object.entries(section.files)) files[path] = place(file);
  const users = Object.entries(section.users).map(([user, { sshKeys, ...account }]) => ({
    name: user,
    ...account,
    ...(sshKeys !== undefined && { sshKeys: copy(localTree(ctx, sshKeys)) }),
  }));
  const groups = Object.entries(section.groups).map(([group, { gid }]) => ({ name: group, gid }));
  const { hostname, remove, permissions, budget, strip } = section;
  const { programs, firmware } = extras;
  const composed = treeOf(
    composeTree({
      name: strip ? `whole-${name}` : name,
      layers,
      copies,
      files,
      remove,
      users,
      groups,
      hostname,
      permissions,
      ...(!strip && { budget }),
      ...(programs.length > 0 && { programs }),
      ...(firmware && { firmware }),
    }),
    "tree",
  );
  return strip ? strippedTree(ctx, { name, tree: composed, budget }) : composed;
}

/** binutils for the tree's architecture, on this machine's. */
function strippedTree(
  ctx: PlanContext,
  { name, tree, budget }: { name: string; tree: TreeInput; budget: number | undefined },
): TreeInput {
  const arch = ctx.debianArch;
  const [package_, strip] =
    arch === (process.arch === "arm64" ? "arm64" : "amd64")
      ? ["binutils", "strip"]
      : arch === "arm64"
        ? ["binutils-aarch64-linux-gnu", "aarch64-linux-gnu-strip"]
        : ["binutils-x86-64-linux-gnu", "x86_64-linux-gnu-strip"];
  const archive = elfArchive({ name: `elf:${name}`, tree, arch });
  const command = commandStage({
    name: `strip:${name}`,
    toolroot: toolrootTree(ctx, ["busybox-static", package_!]),
    argv: ["busybox", "sh", "-ec", stripScript(strip!)],
    inputs: { archive: blobOf(archive, "archive") },
    outputs: ["archive"],
  });
  const stripped = importArchive({ name: `stripped:${name}`, archive: blobOf(command, "archive"), what: name });
  return treeOf(replaceElf({ name, tree, stripped: treeOf(stripped, "tree"), budget }), "tree");
}

function originTrees(ctx: PlanContext, origin: Exclude<Origin, { type: "files" }>): TreeInput[] {
  switch (origin.type) {
    case "debian":
      if (!origin.unpack) return [debianRootTree(ctx, origin)];
      return packageTrees(ctx, {
        type: "debian-packages",
        packages: origin.packages,
        arch: ctx.debianArch,
        suite: ctx.config.sources.debian.suite,
      });
    case "alpine":
      return [alpineTree(ctx, origin)];
    case "dir":
      return [localTree(ctx, origin.dir)];
    case "archive":
      return [archiveTree(ctx, origin)];
    case "oci":
      return [ociTree(ctx, origin)];
    case "image":
      return [registryTree(ctx, origin.image)];
    case "git":
      return [gitTree(ctx, origin)];
    case "source":
      return [namedSourceTree(ctx, origin.source)];
    case "updater":
      return [...updaterTrees(ctx)];
    case "modules":
      return [modulesTree(ctx, origin)];
    case "firmware": {
      const patterns = origin.firmware;
      const name = `firmware:${patterns.join("+")}`;
      return [ctx.once(name, () => firmwareTree(ctx, { name, patterns }))];
    }
    default:
      return [planTree(ctx, origin.tree)];
  }
}

function placement(origin: Exclude<Origin, { type: "files" }>): Placement {
  return {
    origin: describe(origin),
    to: origin.to,
    strip: "strip" in origin ? origin.strip : 0,
    subdir: "subdir" in origin ? (origin.subdir ?? "").replace(/^\/+|\/+$/g, "") : "",
  };
}

function describe(origin: Exclude<Origin, { type: "files" }>): string {
  switch (origin.type) {
    case "debian":
      return `package ${origin.packages.join(", ")}`;
    case "alpine":
      return `package ${typeof origin.packages === "string" ? `of ${origin.packages}` : origin.packages.join(", ")}`;
    case "dir":
      return `directory ${origin.dir}`;
    case "archive":
      return `archive ${origin.archive}`;
    case "oci":
      return `container image ${origin.layout}`;
    case "image":
      return `container image ${origin.image}`;
    case "git":
      return `git ${origin.url}`;
    case "updater":
      return "the updater";
    case "source":
      return `source ${origin.source}`;
    case "modules":
      return "kernel modules";
    case "firmware":
      return `firmware ${origin.firmware.join(", ")}`;
    default:
      return `tree ${origin.tree}`;
  }
}

/** Takes a tree of one file, gives the number by which a declared file finds it. */
type Copy = (tree: TreeInput) => number;

function declared(ctx: PlanContext, { file, copy }: { file: DeclaredInConfig; copy: Copy }): DeclaredFile {
  const owner = { uid: file.uid, gid: file.gid };
  switch (file.type) {
    case "content":
      return { type: "content", content: file.content, mode: file.mode ?? (file.executable ? 0o755 : 0o644), ...owner };
    case "file":
      return {
        type: "copy",
        layer: copy(localTree(ctx, file.file)),
        mode: file.mode ?? (file.executable ? 0o755 : null),
        ...owner,
      };
    case "source":
      return {
        ...{ type: "copy", layer: copy(sourceFileTree(ctx, file.source)) },
        ...{ mode: file.mode ?? (file.executable ? 0o755 : 0o644), ...owner },
      };
    case "symlink":
      return { type: "symlink", target: file.target, ...owner };
    case "directory":
      return { type: "directory", mode: file.mode ?? 0o755, ...owner };
    default:
      return {
        type: file.kind === "c" ? "char" : "block",
        major: file.major,
        minor: file.minor,
        mode: file.mode ?? 0o600,
        ...owner,
      };
  }
}

const join = (to: string, path: string): string => (to === "/" ? path : `${to.replace(/\/+$/, "")}${path}`);
