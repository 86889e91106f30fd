/** `from: [{ debian: … }]` without `unpack` → stages: a root in which Debian's packages are installed, or lie without having run. */
import { debianRoot, INSTALLER_PACKAGES } from "../source/debian-root.ts";
import { debianUnpacked } from "../source/debian-unpacked.ts";
import { INSTALL_ROOT_SCRIPT } from "../source/install-root-script.ts";
import type { SourceRequest } from "../source/request.ts";
import { type TreeInput, treeOf } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { fileFromTree, packageFiles, packageTrees, textBlob, toolrootTree, unpinned } from "./sources.ts";

const TRIPLETS = { amd64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" } as const;

export function debianRootTree(
  ctx: PlanContext,
  {
    packages,
    variant,
    recommends,
    scripts,
  }: {
    packages: readonly string[];
    variant: "required" | "essential";
    recommends: boolean;
    scripts: boolean;
  },
): TreeInput {
  const common = { arch: ctx.debianArch, suite: ctx.config.sources.debian.suite };
  const request = { type: "debian-root" as const, ...common, packages: [...packages].sort(), variant, recommends };
  const words = ["debian", variant === "essential" && variant, recommends && "recommends", ...request.packages];
  const name = ctx.archName(words.filter(Boolean).join("+"));
  if (!scripts) return unpackedRoot(ctx, { name, request });
  return ctx.once(`debian-root:${name}`, () => {
    const toolroot = toolrootTree(ctx, INSTALLER_PACKAGES);
    const library: SourceRequest = { type: "debian-packages", packages: ["libfakeroot"], ...common };
    const libfakeroot = fileFromTree(ctx, {
      name: ctx.archName("libfakeroot"),
      tree: packageTrees(ctx, library)[0]!,
      path: `usr/lib/${TRIPLETS[ctx.debianArch]}/libfakeroot/libfakeroot-sysv.so`,
    });
    const files = packageFiles(ctx, request);
    if (files === undefined) return treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree");
    const root = debianRoot({
      name,
      packages: files,
      arch: ctx.debianArch,
      toolroot,
      libfakeroot,
      script: textBlob(ctx, "install-root", INSTALL_ROOT_SCRIPT),
      epoch: ctx.config.epoch,
    });
    return treeOf(root, "tree");
  });
}

function unpackedRoot(
  ctx: PlanContext,
  { name, request }: { name: string; request: Extract<SourceRequest, { type: "debian-root" }> },
): TreeInput {
  return ctx.once(`debian-unpacked:${name}`, () => {
    const files = packageFiles(ctx, request);
    if (files === undefined) return treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree");
    const trees = packageTrees(ctx, request);
    return treeOf(
      debianUnpacked({
        name: `unpacked:${name}`,
        packages: files.map((one, i) => ({ ...one, tree: trees[i]! })),
        arch: ctx.debianArch,
        epoch: ctx.config.epoch,
      }),
      "tree",
    );
  });
}
