/** `kind: "kernel"` → a directory with what a loader without firmware needs, and on request with what else a kernel build leaves. */
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type TreeInput, treeOf } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { directParts, withAgent } from "./efi-images.ts";
import { planKernel } from "./kernels.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";

type Inputs = {
  kernel: BlobInput;
  initrd: BlobInput | undefined;
  config: BlobInput | undefined;
  systemMap: BlobInput | undefined;
  vmlinux: BlobInput | undefined;
  modules: TreeInput | undefined;
};

/** The names are those that `kernel import` looks for. */
const NAMES = {
  kernel: "vmlinuz",
  initrd: "initrd",
  config: "config",
  systemMap: "System.map",
  vmlinux: "vmlinux",
} as const;

/** Throws CONFIG_INVALID when `with` asks for the vmlinux of a kernel that is not built here. */
export function planDirect(
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"kernel"> },
): PlannedImage {
  const direct = directParts(ctx, image);
  const kernel = planKernel(ctx, image.kernel);
  const wants = (part: (typeof image.with)[number]): boolean => image.with.includes(part);
  if (wants("vmlinux") && kernel.source === undefined)
    throw new BootwrightError("CONFIG_INVALID", `images.${name}.with: only a kernel from source has a vmlinux`, {
      hint: `take "vmlinux" out, or build the kernel ${image.kernel} from source; \`kind: "microvm"\` unpacks one`,
    });
  const stage = defineStage<Inputs, { tree: TreeArtifact }>({
    name: `kernel-dir:${name}`,
    kind: "kernel-directory",
    version: 2,
    inputs: {
      kernel: direct.kernel,
      initrd: direct.initrd,
      config: wants("config") ? kernel.config : undefined,
      systemMap: wants("System.map") ? kernel.systemMap : undefined,
      vmlinux: wants("vmlinux") ? kernel.source?.vmlinux : undefined,
      modules: wants("modules") ? kernel.modules : undefined,
    },
    params: { cmdline: direct.cmdline },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const files = (Object.keys(NAMES) as (keyof typeof NAMES)[]).flatMap((part) => {
        const blob = inputs[part];
        return blob === undefined ? [] : [file(NAMES[part], blob)];
      });
      const entries = [
        file("cmdline", store.blobs.put(`${direct.cmdline}\n`)),
        ...files,
        ...(inputs.modules === undefined ? [] : modulesBelow(store.getTree(inputs.modules))),
      ].sort((a, b) => comparePaths(a.path, b.path));
      return { tree: store.putTree([{ ...OWNED, type: "directory", path: "", mode: 0o755 }, ...entries]) };
    },
  });
  return { name, kind: "kernel", output: treeOf(stage, "tree"), fileName: name, direct, agent: withAgent(ctx, image) };
}

const OWNED = { uid: 0, gid: 0 } as const;

const file = (path: string, { hash, size }: { hash: string; size: number }): TreeEntry => ({
  ...OWNED,
  type: "file",
  path,
  mode: 0o644,
  content: { hash, size },
});

/** lib/modules/RELEASE/… → modules/RELEASE/… */
const modulesBelow = (tree: FileTree): readonly TreeEntry[] =>
  tree
    .filter(({ path }) => path === "lib/modules" || path.startsWith("lib/modules/"))
    .map((entry) => ({ ...entry, path: entry.path.slice("lib/".length) }));
