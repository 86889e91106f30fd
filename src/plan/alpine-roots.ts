/** `from: [{ alpine: … }]` → stages: packages opened and unpacked, their scripts run, one tree. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import { fetchAlpinePackage } from "../source/alpine.ts";
import { type AlpinePackage, alpineConfigured, alpineUnpacked } from "../source/alpine-root.ts";
import { ALPINE_SCRIPT_PACKAGES, ALPINE_SCRIPTS } from "../source/alpine-scripts.ts";
import { openApk } from "../source/apk-stage.ts";
import { importArchive } from "../source/import-archive.ts";
import type { LockedPackage } from "../source/lock.ts";
import type { SourceRequest } from "../source/request.ts";
import { commandStage } from "../stage/command.ts";
import { blobOf, type TreeInput, treeOf } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { textBlob, toolrootTree, unpinned } from "./sources.ts";

export function alpineTree(
  ctx: PlanContext,
  { packages, scripts }: { packages: readonly string[] | string; scripts: boolean },
): TreeInput {
  const source = ctx.config.sources.alpine;
  if (source === undefined) throw new BootwrightError("CONFIG_INVALID", "sources.alpine is needed for Alpine packages");
  const { mirror, branch, repositories } = source;
  const keys = source.keys.map((file) => path.resolve(ctx.config.dir, file));
  const world = [...(typeof packages === "string" ? listedPackages(ctx, packages) : packages)].sort();
  const { arch } = ctx;
  const request: SourceRequest = {
    ...{ type: "alpine", branch, arch, packages: world },
    source: { mirror, branch, repositories, keys },
  };
  const name = ctx.archName(`alpine:${world.join("+")}`);
  return ctx.once(`${name} ${scripts}`, () => {
    // Asked for now, so that all that the lock lacks is pinned at once.
    const toolroot = scripts ? toolrootTree(ctx, ALPINE_SCRIPT_PACKAGES) : undefined;
    const pin = ctx.pin(request, "alpine");
    if (pin === undefined) return treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree");
    const { epoch } = ctx.config;
    const opened = pin.packages.map((locked) => alpinePackage(ctx, { locked, mirror }));
    const unpacked = alpineUnpacked({
      name: scripts ? `unpack:${name}` : name,
      ...{ packages: opened, world, arch, epoch },
    });
    const before = treeOf(unpacked, "tree");
    if (toolroot === undefined) return before;
    const run = commandStage({
      name: `scripts:${name}`,
      toolroot,
      argv: ["dash", "inputs/program"],
      env: { SOURCE_DATE_EPOCH: String(epoch) },
      inputs: {
        program: textBlob(ctx, "alpine-scripts", ALPINE_SCRIPTS),
        root: blobOf(unpacked, "plain"),
        scripts: blobOf(unpacked, "scripts"),
        order: blobOf(unpacked, "order"),
      },
      outputs: ["root", "owners"],
      mounts: true,
    });
    const after = importArchive({ name: `changed:${name}`, archive: blobOf(run, "root"), what: name });
    const owners = blobOf(run, "owners");
    return treeOf(alpineConfigured({ name, before, after: treeOf(after, "tree"), owners }), "tree");
  });
}

/** One a line; what follows a # is for people. */
function listedPackages(ctx: PlanContext, label: string): readonly string[] {
  ctx.local(label); // Whoever watches the project's files watches it, too.
  const text = readIfExists(path.resolve(ctx.config.dir, label))?.toString("utf8") ?? "";
  const packages = text.split("\n").flatMap((line) => line.replace(/#.*$/, "").split(/\s+/).filter(Boolean));
  if (packages.length === 0)
    throw new BootwrightError("CONFIG_INVALID", `${label} lists no packages`, { hint: "write one package a line" });
  return packages;
}

function alpinePackage(ctx: PlanContext, { locked, mirror }: { locked: LockedPackage; mirror: string }): AlpinePackage {
  const { name, version, sha256, size } = locked;
  return ctx.once(`apk:${name}:${sha256}`, () => {
    const what = `${name} ${version}`;
    const stage = ctx.archName(name);
    const fetch = {
      ...fetchAlpinePackage(locked, { mirror, offline: ctx.fetch.offline }),
      name: `fetch:${stage}`,
    };
    const opened = openApk({ name: `open:${stage}`, file: blobOf(fetch, "file"), what });
    const tree = importArchive({ name: `unpack:${stage}`, archive: blobOf(opened, "data"), what });
    return { name, size, tree: treeOf(tree, "tree"), control: blobOf(opened, "control") };
  });
}
