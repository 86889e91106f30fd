/** What a reference means when it is left out: the only thing of its kind. Also what no schema can say about several parts. */
import type { ImageConfig } from "../image/schema.ts";
import type { KernelConfig } from "../kernel/schema.ts";
import type { MachineConfig } from "../vm/schema.ts";
import { addonIssues } from "./addons.ts";
import { isBootable } from "./bootable.ts";
import { budgetIssues } from "./budget.ts";
import { type ResolvedCatalog, resolveCatalogs } from "./catalogs.ts";
import type { ConfigIssue } from "./issue.ts";
import { menuIssues } from "./menu.ts";
import type { ConfigPath } from "./path.ts";
import { platformIssues } from "./platform.ts";
import { publishIssues } from "./publish.ts";
import { NONE } from "./references.ts";
import type { ProjectOutput } from "./schema.ts";
import { type ResolvedUpdate, resolveUpdate } from "./update.ts";
import { type ResolvedVerify, resolveVerify, verityIssues } from "./verity.ts";

type Bootable = Extract<ImageConfig, { kind: "uki" | "efi" | "kernel" | "microvm" }>;

type Referring<T, R> = T extends unknown ? Omit<T, keyof R> & R : never;

/** `initramfs` undefined: the image has none. */
export type ResolvedImage =
  | Referring<Bootable, { readonly kernel: string; readonly initramfs: string | undefined }>
  | Referring<Extract<ImageConfig, { kind: "cpio" }>, { readonly initramfs: string }>
  | Extract<
      ImageConfig,
      { kind: "addon" | "esp" | "disk" | "file" | "iso" | "pxe" | "update" | "verity-signature" | "verity-tree" }
    >
  | Referring<Extract<ImageConfig, { kind: "sha256sums" }>, { readonly of: readonly string[] }>
  | TreeImage;

export type ResolvedMachine = Referring<MachineConfig, { readonly image: string }>;

export type ResolvedKernel =
  | Referring<Exclude<KernelConfig, { from: "catalog" }>, WithArchitecture>
  | Referring<Extract<KernelConfig, { from: "catalog" }>, WithArchitecture & { readonly catalog: string }>;

interface WithArchitecture {
  readonly arch: "x86_64" | "aarch64";
}

export interface ResolvedProject
  extends Omit<
    ProjectOutput,
    "catalogs" | "images" | "initramfs" | "kernels" | "machines" | "profiles" | "seed" | "update"
  > {
  readonly seed: string;
  readonly update: ResolvedUpdate | undefined;
  readonly catalogs: Readonly<Record<string, ResolvedCatalog>>;
  readonly kernels: Readonly<Record<string, ResolvedKernel>>;
  readonly initramfs: Readonly<
    Record<string, Omit<ProjectOutput["initramfs"][string], "verify"> & { readonly verify: ResolvedVerify }>
  >;
  readonly images: Readonly<Record<string, ResolvedImage>>;
  readonly machines: Readonly<Record<string, ResolvedMachine>>;
}

export interface Resolved {
  readonly project: ResolvedProject;
  readonly issues: readonly ConfigIssue[];
}

/** Names that are written are known to exist (`references.ts`). With issues, the project must not be used. */
export function resolveReferences(config: ProjectOutput): Resolved {
  const issues: ConfigIssue[] = [];
  const only = onlyOne(issues);
  const kernels = Object.keys(config.kernels);
  const initramfsNames = Object.keys(config.initramfs);
  const catalogNames = Object.keys(config.catalogs);
  const resolvedKernels = mapValues(config.kernels, (kernel, name): ResolvedKernel => {
    const arch = kernel.arch ?? config.arch;
    if (kernel.from !== "catalog") return { ...kernel, arch };
    const catalog =
      kernel.catalog ?? only({ what: "catalog", names: catalogNames, path: ["kernels", name, "catalog"] });
    return { ...kernel, arch, catalog };
  });
  const { catalogs, issues: catalogIssues } = resolveCatalogs(config);
  const { update, issues: updateIssues } = resolveUpdate(config);

  const initramfs = mapValues(config.initramfs, (one, name) => {
    if (one.root && one.init !== "busybox")
      issues.push({ path: ["initramfs", name, "root"], message: 'needs init "busybox"', mark: "key" });
    if (one.root && Object.keys(one.services).length > 0)
      issues.push({
        path: ["initramfs", name, "services"],
        message: "with `root: true` services belong into the root file system",
        mark: "key",
      });
    const { verify, issues: verifyIssues } = resolveVerify(config, { name, initramfs: one });
    issues.push(...verifyIssues);
    const resolved = { ...one, verify };
    const needed = one.modules.any || one.firmware.length > 0 || verify.length > 0;
    if (one.kernel === undefined && !needed && kernels.length !== 1) return resolved;
    const path = ["initramfs", name, "kernel"];
    const kernel = one.kernel ?? only({ what: "kernel", names: kernels, path });
    issues.push(...foreignKernel(config, { kernel, path }));
    return { ...resolved, kernel };
  });

  const images = mapValues(config.images, (image, name): ResolvedImage => {
    const path = ["images", name];
    if (image.kind === "esp" || image.kind === "disk") {
      issues.push(...unfitContents(config, { name, image }));
      if (image.kind === "disk") issues.push(...unfitPartitions(config, { name, image }));
      return image;
    }
    if (image.kind === "iso") {
      issues.push(...unfitPayload(config, { name, image }));
      return image;
    }
    if (image.kind === "pxe") {
      issues.push(...unfitNetboot(config, { name, image }));
      return image;
    }
    if (image.kind === "sha256sums") return { ...image, of: summed(config, { name, image, issues }) };
    if (image.kind === "oci") issues.push(...foreignTrees(config, { name, image }));
    if (isWhole(image) || isOfTree(image)) return image;
    const initramfsPath = [...path, "initramfs"];
    if (image.kind === "cpio") {
      const chosen = image.initramfs ?? only({ what: "initramfs", names: initramfsNames, path: initramfsPath });
      return { ...image, initramfs: chosen };
    }
    const kernel = image.kernel ?? only({ what: "kernel", names: kernels, path: [...path, "kernel"] });
    issues.push(...foreignKernel(config, { kernel, path: [...path, "kernel"] }));
    const chosen =
      image.initramfs ??
      (initramfsNames.length === 0 ? NONE : only({ what: "initramfs", names: initramfsNames, path: initramfsPath }));
    const modulesOf = initramfs[chosen]?.modules.any ? initramfs[chosen]?.kernel : undefined;
    if (modulesOf !== undefined && modulesOf !== kernel)
      issues.push({
        path: [...path, "kernel"],
        message: `the initramfs "${chosen}" holds modules of the kernel "${modulesOf}", not of "${kernel}"`,
        mark: "value",
      });
    return { ...image, kernel, initramfs: chosen === NONE ? undefined : chosen };
  });

  const bootable = Object.keys(config.images).filter((name) => isBootable(config.images[name]!.kind));
  const machines = mapValues(
    config.machines,
    (machine, name): ResolvedMachine => ({
      ...machine,
      image: machine.image ?? only({ what: "image", names: bootable, path: ["machines", name, "image"] }),
    }),
  );

  issues.push(
    ...verityIssues(config),
    ...menuIssues(config),
    ...budgetIssues(config),
    ...addonIssues(config),
    ...updateIssues,
    ...publishIssues(config),
  );
  issues.push(...catalogIssues, ...platformIssues(config), ...sharedSourceNames(config));
  issues.push(...missingAlpine(config), ...treeCycles(config));
  const { profiles: _, ...rest } = config;
  const seed = config.seed ?? config.name;
  return {
    project: { ...rest, seed, update, catalogs, kernels: resolvedKernels, initramfs, images, machines },
    issues,
  };
}

/** A kernel for another architecture can be published; what would start by it is all for the project's. */
function foreignKernel(
  { kernels, arch }: ProjectOutput,
  { kernel, path }: { kernel: string; path: ConfigPath },
): ConfigIssue[] {
  const own = kernels[kernel]?.arch;
  if (own === undefined || own === arch) return [];
  return [{ path, message: `the kernel "${kernel}" is for ${own}, the project for ${arch}`, mark: "value" }];
}

type WholeImage = Extract<ImageConfig, { kind: "addon" | "file" | "update" | "verity-signature" | "verity-tree" }>;

/** Nothing in it may be left out. */
const isWhole = (image: ImageConfig): image is WholeImage =>
  ["addon", "file", "update", "verity-signature", "verity-tree"].includes(image.kind);

type TreeImage = Extract<ImageConfig, { kind: "tar" | "squashfs" | "erofs" | "ext4" | "oci" }>;

/** Made of a tree alone. */
const isOfTree = (image: ImageConfig): image is TreeImage =>
  ["tar", "squashfs", "erofs", "ext4", "oci"].includes(image.kind);

/** Kernels, and the updater, are for the project's architecture; files and packages are there for any. */
function foreignTrees(
  config: ProjectOutput,
  { name, image }: { name: string; image: Extract<ImageConfig, { kind: "oci" }> },
): readonly ConfigIssue[] {
  if (typeof image.tree === "string") return [];
  return Object.entries(image.tree).flatMap(([arch, tree]): ConfigIssue[] => {
    const own = arch === config.arch || tree === undefined ? undefined : boundOrigin(config, tree, new Set());
    if (own === undefined) return [];
    const message = `the tree "${tree}" holds ${own}, which ${own.endsWith("s") ? "are" : "is"} for ${config.arch}`;
    return [{ path: ["images", name, "tree", arch], message, mark: "value" }];
  });
}

/** What of a tree only fits the project's architecture. */
function boundOrigin(config: ProjectOutput, tree: string, seen: Set<string>): string | undefined {
  if (seen.has(tree)) return undefined;
  seen.add(tree);
  for (const origin of config.trees[tree]?.from ?? []) {
    if (origin.type === "modules") return "kernel modules";
    if (origin.type === "updater") return "the updater";
    const inner = origin.type === "tree" ? boundOrigin(config, origin.tree, seen) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

const ON_ESP: ReadonlySet<ImageConfig["kind"]> = new Set<ImageConfig["kind"]>(["uki", "efi", "cpio", "addon", "file"]);

/** An EFI system partition holds programs that firmware starts, not another partition, and not itself. */
function unfitContents(
  config: ProjectOutput,
  { name, image }: { name: string; image: Extract<ImageConfig, { kind: "esp" | "disk" }> },
): readonly ConfigIssue[] {
  const [key, items] = image.kind === "esp" ? (["contains", image.contains] as const) : (["esp", image.esp] as const);
  return items.flatMap((item, i): ConfigIssue[] => {
    const kind = typeof item === "string" ? config.images[item]?.kind : undefined;
    if (kind === undefined || ON_ESP.has(kind)) return [];
    const message =
      item === name
        ? "an image cannot contain itself"
        : `"${item}" is of kind "${kind}"; an EFI system partition holds images of kind "uki", "addon", "efi", "cpio" and "file"`;
    return [{ path: ["images", name, key, i], message, mark: "value" }];
  });
}

/** Firmware that boots from the network fetches one file. */
function unfitNetboot(
  config: ProjectOutput,
  { name, image }: { name: string; image: Extract<ImageConfig, { kind: "pxe" }> },
): readonly ConfigIssue[] {
  const boot = config.images[image.boot];
  if (boot === undefined || boot.kind === "uki" || (boot.kind === "efi" && boot.embed === "uki")) return [];
  const message =
    boot.kind === "efi"
      ? `"${image.boot}" is several files; say \`embed: "uki"\` there`
      : `"${image.boot}" is of kind "${boot.kind}"; firmware starts images of kind "uki" and "efi"`;
  return [{ path: ["images", name, "boot"], message, mark: "value" }];
}

/** Every image but those that are lists themselves. */
function summed(
  config: ProjectOutput,
  { name, image, issues }: { name: string; image: Extract<ImageConfig, { kind: "sha256sums" }>; issues: ConfigIssue[] },
): readonly string[] {
  const others = Object.keys(config.images).filter((other) => config.images[other]!.kind !== "sha256sums");
  for (const [i, item] of (image.of ?? []).entries())
    if (config.images[item]?.kind === "sha256sums")
      issues.push({ path: ["images", name, "of", i], message: "a list of digests cannot list another", mark: "value" });
  if (others.length === 0)
    issues.push({ path: ["images", name], message: "there is no other image whose digest it could list", mark: "key" });
  return image.of ?? others;
}

/** What an ISO starts is a program for firmware; what it carries is a file, and not another ISO. */
function unfitPayload(
  config: ProjectOutput,
  { name, image }: { name: string; image: Extract<ImageConfig, { kind: "iso" }> },
): readonly ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const boot = config.images[image.boot]?.kind;
  if (boot !== undefined && boot !== "uki" && boot !== "efi" && boot !== "file")
    issues.push({
      path: ["images", name, "boot"],
      message: `"${image.boot}" is of kind "${boot}"; firmware starts images of kind "uki", "efi" and "file"`,
      mark: "value",
    });
  for (const [i, item] of image.payload.entries())
    if (config.images[item]?.kind === "iso")
      issues.push({ path: ["images", name, "payload", i], message: "an ISO cannot carry an ISO", mark: "value" });
  return issues;
}

/**
 * "rest" needs something to be the rest of, and only one can have it; names are unique, since devices are found by them; and
 * a partition holds a file, which a disk is not.
 */
function unfitPartitions(
  config: ProjectOutput,
  { name, image }: { name: string; image: Extract<ImageConfig, { kind: "disk" }> },
): readonly ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const issue = (at: ConfigPath, message: string) =>
    issues.push({ path: ["images", name, ...at], message, mark: "value" });
  const parts: readonly { at: ConfigPath; label: string; size?: number | "rest" | undefined; taken: boolean }[] = [
    ...(image.tree === undefined ? [] : [{ at: ["root"], ...image.root, taken: true }]),
    ...Object.entries(image.partitions).map(([label, part]) => ({
      ...{ at: ["partitions", label], label, size: part.size, taken: part.image !== undefined },
    })),
    ...(image.data === undefined ? [] : [{ at: ["data"], ...image.data, taken: true }]),
  ];
  const rest = parts.filter(({ size }) => size === "rest");
  if (image.size === undefined)
    for (const { at } of rest) issue([...at, "size"], '"rest" of what? Say the size of the whole disk');
  else if (rest.length > 1) issue([...rest.at(-1)!.at, "size"], 'only one partition can have the "rest"');
  const labels = new Set(["ESP"]);
  for (const { at, label, size, taken } of parts) {
    if (labels.has(label)) issue(at, `two partitions are named "${label}"`);
    labels.add(label);
    if (!taken && size === undefined) issue(at, "an empty partition needs a size");
  }
  for (const [label, part] of Object.entries(image.partitions)) {
    const kind = part.image === undefined ? undefined : config.images[part.image]?.kind;
    if (kind === "disk" || kind === "iso") issue(["partitions", label, "image"], `a partition cannot hold a ${kind}`);
  }
  return issues;
}

const onlyOne =
  (issues: ConfigIssue[]) =>
  ({ what, names, path }: { what: string; names: readonly string[]; path: ConfigPath }): string => {
    if (names.length === 1) return names[0]!;
    const message =
      names.length === 0
        ? `needs ${what === "image" || what === "initramfs" ? "an" : "a"} ${what}, and the config has none`
        : `say which ${what}: ${names.map((name) => `"${name}"`).join(", ")}`;
    issues.push({ path, message, mark: "parent" });
    return "";
  };

function sharedSourceNames({ sources }: ProjectOutput): readonly ConfigIssue[] {
  return Object.keys(sources.git)
    .filter((name) => Object.hasOwn(sources.files, name))
    .map((name) => ({
      path: ["sources", "git", name],
      message: `the name "${name}" is also in sources.files`,
      mark: "key",
    }));
}

/** Nobody's mirror is a default. */
function missingAlpine(config: ProjectOutput): readonly ConfigIssue[] {
  if (config.sources.alpine !== undefined) return [];
  return (["trees", "initramfs"] as const).flatMap((part) =>
    Object.entries(config[part]).flatMap(([name, { from }]) =>
      from.flatMap((origin, i): ConfigIssue[] =>
        origin.type === "alpine"
          ? [
              {
                path: [part, name, "from", i, "alpine"],
                message: "needs `sources: { alpine: { mirror, branch, keys } }`, which the config does not have",
                mark: "key",
              },
            ]
          : [],
      ),
    ),
  );
}

/** Trees may be made of trees, but not of themselves. */
function treeCycles(config: ProjectOutput): readonly ConfigIssue[] {
  return Object.keys(config.trees).flatMap((name): ConfigIssue[] => {
    const cycle = findCycle(config, name);
    if (cycle === undefined) return [];
    return [{ path: ["trees", name], message: `is made of itself: ${cycle.join(" → ")}`, mark: "key" }];
  });
}

function findCycle(config: ProjectOutput, start: string): readonly string[] | undefined {
  const seen = new Set<string>();
  const queue: (readonly string[])[] = [[start]];
  for (let way = queue.shift(); way !== undefined; way = queue.shift()) {
    for (const origin of config.trees[way.at(-1)!]?.from ?? []) {
      if (origin.type !== "tree") continue;
      if (origin.tree === start) return [...way, start];
      if (!seen.has(origin.tree)) queue.push([...way, origin.tree]);
      seen.add(origin.tree);
    }
  }
  return undefined;
}

const mapValues = <T, R>(map: Readonly<Record<string, T>>, change: (value: T, key: string) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value, key)]));
