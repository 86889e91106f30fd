/** What an image consists of, read off the graph of its stages: its trees, its kernels, the packages that went into them. */
import type { BillPackage } from "../formats/bill.ts";
import type { Material, MaterialRole } from "../provenance/material.ts";
import { type AnyStage, type BlobInput, type Input, isRef, type OutputRef, type TreeInput } from "../stage/stage.ts";

/** Stages that make a whole tree: what lies below them went into it. */
const TREE_KINDS = new Set(["tree", "replace-elf"]);

/** The trees that an image packs, by the names of their stages; not those that they were put together from. */
export function packedTrees(
  target: AnyStage,
  roles: ReadonlyMap<AnyStage, MaterialRole>,
): readonly { readonly name: string; readonly tree: TreeInput }[] {
  const found = new Map<string, TreeInput>();
  const seen = new Set<AnyStage>();
  const visit = (stage: AnyStage): void => {
    if (seen.has(stage) || roles.get(stage) !== "content") return;
    seen.add(stage);
    if (TREE_KINDS.has(stage.kind)) {
      const tree: OutputRef = { stage, output: "tree", kind: "tree" };
      found.set(stage.name.replace(/^tree:/, ""), tree as TreeInput);
      return;
    }
    for (const input of Object.values(stage.inputs).flat() as (Input | undefined)[])
      if (input !== undefined && isRef(input)) visit(input.stage);
  };
  visit(target);
  return [...found].map(([name, tree]) => ({ name, tree })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function packedKernels(
  roles: ReadonlyMap<AnyStage, MaterialRole>,
): readonly { readonly release: BlobInput; readonly config: BlobInput }[] {
  const kernels = [...roles].filter(
    ([{ outputs }, role]) => role === "content" && ["image", "release"].every((name) => outputs.includes(name)),
  );
  return kernels
    .map(([stage]) => stage)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((stage) => {
      const of = (output: string) => ({ stage, output, kind: "blob" }) as BlobInput;
      // What is compiled gets its config; what is taken out of something brings it.
      const config = stage.outputs.includes("config") ? of("config") : (stage.inputs.config as BlobInput | undefined);
      return config === undefined ? [] : [{ release: of("release"), config }];
    });
}

export const packedPackages = (materials: readonly Material[]): readonly BillPackage[] =>
  materials.flatMap(({ role, package: identity, uri, digest }) =>
    role === "content" && identity !== undefined
      ? [{ name: identity.name, version: identity.version, url: uri, sha256: digest.sha256! }]
      : [],
  );
