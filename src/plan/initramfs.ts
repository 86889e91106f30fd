/** `initramfs` → stages: base, modules, the config's files on top, packed, with microcode in front. */
import { BootwrightError } from "../base/errors.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { initramfsBase } from "../initramfs/base.ts";
import { microcodeSegment } from "../initramfs/microcode.ts";
import { joinSegments, packInitramfs } from "../initramfs/pack.ts";
import { programClosure } from "../initramfs/program-closure.ts";
import { verityTable } from "../initramfs/verity-table.ts";
import { selectModulesStage } from "../kernel/module-selection.ts";
import { commandStage } from "../stage/command.ts";
import { type BlobInput, blobOf, type TreeInput, treeOf } from "../stage/stage.ts";
import type { PlanContext } from "./context.ts";
import { firmwareTree } from "./kernel-files.ts";
import { planKernel } from "./kernels.ts";
import { localBlob, localTree, packageRoot, packageTrees, toolrootTree } from "./sources.ts";
import { verityDescription } from "./tree-images.ts";
import { planTreeSection } from "./trees.ts";

type InitramfsSection = ResolvedConfig["initramfs"][string];

export interface PlannedInitramfs {
  readonly tree: TreeInput;
  readonly initrd: BlobInput;
  /** The same uncompressed, for a kernel that embeds it. */
  readonly cpio: BlobInput;
}

/** What the agent talks through; kernels that have them built in need nothing. */
const AGENT_MODULES = ["virtio_pci", "virtio_mmio", "virtio_console"];

/** Fast and small enough for a build that is booted at once; a release may ask for more. */
const DEFAULT_LEVEL = { zstd: 3, gzip: 6, xz: 6, lz4: 9, none: 0 } as const;

export function planInitramfs(ctx: PlanContext, name: string): PlannedInitramfs {
  return ctx.once(`initramfs:${name}`, () => {
    const section = ctx.config.initramfs[name];
    if (section === undefined) throw new BootwrightError("NAME_UNKNOWN", `the config has no initramfs ${name}`);
    const modules = planModules(ctx, { name, section });
    const base = initramfsBase({
      name: `init:${name}`,
      init: section.init,
      root: section.root,
      verify: section.verify.length > 0,
      watchdog: section.verify.length > 0 ? ctx.config.update?.watchdog : undefined,
      agentScript: ctx.agentScript,
      partuuidScript: ctx.partuuidScript,
      ...(section.init === "busybox" && { busybox: busyboxTree(ctx, section) }),
      ...(modules && { loadList: modules.loadList }),
      settings: {
        run: section.run,
        services: section.services,
        console: section.console,
        agent: section.agent,
        coldplug: section.modules.all,
      },
    });
    const below = [{ tree: treeOf(base, "tree") as TreeInput, origin: "init" }];
    if (modules) below.push({ tree: modules.tree, origin: "kernel modules" });
    below.push(...verifyLayers(ctx, { name, section }));
    const named = modules?.firmware;
    if (section.firmware.length > 0 && ctx.config.sources.firmware !== undefined) {
      const tree = firmwareTree(ctx, { name: `firmware:initramfs-${name}`, patterns: section.firmware, named });
      below.push({ tree, origin: "firmware" });
    }
    const programs =
      section.init === "busybox"
        ? [...section.run, ...Object.values(section.services).map(({ exec }) => exec[0]!)]
        : section.init === "none"
          ? []
          : [section.init];
    const firmware = section.firmware.length === 0 ? undefined : { globs: section.firmware, named };
    const tree = planTreeSection(ctx, {
      name: `tree:initramfs-${name}`,
      section,
      extras: { below, programs, firmware },
    });
    const cpio = blobOf(
      packInitramfs({
        name: `initramfs-embedded:${name}`,
        tree,
        compress: { kind: "none", level: 0 },
        epoch: ctx.config.epoch,
      }),
      "initrd",
    );
    return { tree, cpio, initrd: withMicrocode(ctx, { name, section, main: packed(ctx, { name, section, tree }) }) };
  });
}

/** What opens verified images: the program, and the table of what is to be opened by which hash. */
function verifyLayers(ctx: PlanContext, { name, section }: { name: string; section: InitramfsSection }) {
  if (section.verify.length === 0) return [];
  const table = verityTable({
    name: `verity:initramfs-${name}`,
    images: section.verify.map(({ image, device, hashes, mount }) => ({
      ...{ name: image, device, hashes, mount },
      description: verityDescription(ctx, image),
    })),
  });
  const root = packageRoot(ctx, ["cryptsetup-bin"]);
  const program = programClosure({ name: `veritysetup:${name}`, root, programs: ["/usr/sbin/veritysetup"] });
  return [
    { tree: treeOf(program, "tree") as TreeInput, origin: "veritysetup" },
    { tree: treeOf(table, "tree") as TreeInput, origin: "verified images" },
  ];
}

function planModules(ctx: PlanContext, { name, section }: { name: string; section: InitramfsSection }) {
  const optional = hasAgent(section) ? AGENT_MODULES : [];
  const { any, all, stage1, stage2, devices } = section.modules;
  if (
    section.kernel === undefined ||
    section.kernel === "" ||
    (!any && section.verify.length === 0 && optional.length === 0)
  )
    return undefined;
  const kernel = planKernel(ctx, section.kernel);
  const stage = selectModulesStage({
    name: `modules:initramfs-${name}`,
    modules: kernel.modules,
    index: kernel.index,
    devices: kernel.devices,
    choice: all ? "all" : { first: section.verify.length > 0 ? [...stage1, "dm-verity"] : stage1, later: stage2 },
    deviceList: devices === undefined ? undefined : localBlob(ctx, devices),
    optional,
  });
  return { tree: treeOf(stage, "tree"), loadList: blobOf(stage, "loadList"), firmware: blobOf(stage, "firmware") };
}

/** Only a guest that stays in the initramfs has the agent: the real root brings its own services. */
export const hasAgent = (section: Pick<InitramfsSection, "agent" | "init" | "root">): boolean =>
  section.agent && section.init === "busybox" && !section.root;

function busyboxTree(ctx: PlanContext, section: InitramfsSection): TreeInput {
  if (section.busybox !== undefined) return localTree(ctx, section.busybox);
  return packageTrees(ctx, {
    type: "debian-packages",
    packages: ["busybox-static"],
    arch: ctx.debianArch,
    suite: ctx.config.sources.debian.suite,
  })[0]!;
}

function packed(
  ctx: PlanContext,
  { name, section, tree }: { name: string; section: InitramfsSection; tree: TreeInput },
): BlobInput {
  const { kind } = section.compress;
  const level = section.compress.level ?? DEFAULT_LEVEL[kind];
  const { epoch } = ctx.config;
  if (kind === "zstd" || kind === "gzip" || kind === "none") {
    const name_ = section.microcode.length === 0 ? `initramfs:${name}` : `initramfs-main:${name}`;
    return blobOf(packInitramfs({ name: name_, tree, compress: { kind, level }, epoch }), "initrd");
  }
  const cpio = blobOf(
    packInitramfs({ name: `initramfs-cpio:${name}`, tree, compress: { kind: "none", level: 0 }, epoch }),
    "initrd",
  );
  // The kernel's xz decoder knows CRC32 only (Documentation/staging/xz.rst); its lz4 decoder the legacy frame only.
  // Its path in full: BusyBox's shell would take its own xz, which cannot compress.
  const argv = {
    xz: [
      "busybox",
      "sh",
      "-c",
      `/usr/bin/xz --check=crc32 -${level} --threads=1 --stdout <inputs/cpio >outputs/initrd`,
    ],
    lz4: ["lz4", "-l", `-${level}`, "--quiet", "inputs/cpio", "outputs/initrd"],
  }[kind];
  const toolroot = toolrootTree(ctx, kind === "xz" ? ["busybox-static", "xz-utils"] : ["lz4"]);
  const name_ = section.microcode.length === 0 ? `initramfs:${name}` : `initramfs-main:${name}`;
  return blobOf(commandStage({ name: name_, toolroot, argv, inputs: { cpio }, outputs: ["initrd"] }), "initrd");
}

function withMicrocode(
  ctx: PlanContext,
  { name, section, main }: { name: string; section: InitramfsSection; main: BlobInput },
): BlobInput {
  if (section.microcode.length === 0) return main;
  const early = microcode(ctx, { name: `microcode:${name}`, labels: section.microcode });
  return blobOf(joinSegments({ name: `initramfs:${name}`, segments: [early, main] }), "initrd");
}

/** Local cpio files or directories of microcode as one uncompressed segment. */
export function microcode(ctx: PlanContext, { name, labels }: { name: string; labels: readonly string[] }): BlobInput {
  const sources = labels.map((label) => localTree(ctx, label));
  return blobOf(microcodeSegment({ name, sources, epoch: ctx.config.epoch }), "segment");
}
