/** What an image says of itself: the stages that state how it was made, and list what it consists of. */
import { digestOf } from "../base/digest.ts";
import { canonicalJson, type Json } from "../base/json.ts";
import { PREDICATES } from "../formats/intoto.ts";
import { billStage } from "../provenance/bill-stage.ts";
import { type BuildFacts, LOCAL_BUILDER, slsaPredicate } from "../provenance/slsa.ts";
import { statementStage } from "../provenance/statement-stage.ts";
import { blobOf, type OutputRef } from "../stage/stage.ts";
import type { BlobArtifact, TreeArtifact } from "../store/artifact.ts";
import { packedKernels, packedPackages, packedTrees } from "./bill-parts.ts";
import type { PlanContext } from "./context.ts";
import { imageMaterials, stageRoles } from "./materials.ts";
import type { PlannedImage } from "./planned-image.ts";
import { wholeFile } from "./whole-file.ts";

export interface PlannedProvenance {
  /** An in-toto statement whose predicate is SLSA's. */
  readonly slsa: OutputRef<BlobArtifact>;
  /** Bills of materials. */
  readonly spdx: OutputRef<BlobArtifact>;
  readonly cyclonedx: OutputRef<BlobArtifact>;
}

export function planProvenance(ctx: PlanContext, image: PlannedImage, facts: BuildFacts): PlannedProvenance {
  return ctx.once(`provenance:${image.output.stage.name}:${canonicalJson(facts as unknown as Json)}`, () => {
    const { config } = ctx;
    const artifact = wholeFile(ctx, image) ?? (image.output as OutputRef<TreeArtifact>);
    const roles = stageRoles(image.output.stage);
    const materials = imageMaterials(roles, ctx.pins);
    const request = {
      ...{ project: config.name, projectVersion: config.version, image: image.name, kind: image.kind },
      ...{ architecture: config.arch, epoch: config.epoch },
    };
    // Of one container image there may be two: of itself, and of its archive; and of any image one for each who builds it.
    const label = image.kind === "oci" ? image.fileName : image.name;
    const builder = facts.builder === LOCAL_BUILDER ? "" : `:${digestOf(facts.builder).hash.slice(0, 8)}`;
    const statement = statementStage({
      name: `provenance:${label}${builder}`,
      ...{ artifact, fileName: image.fileName },
      ...{ predicateType: PREDICATES.slsa, predicate: slsaPredicate(request, { facts, materials }) },
    });
    const bill = ctx.once(`bill:${label}`, () =>
      billStage({
        name: `bill:${label}`,
        ...{ artifact, fileName: image.fileName, version: config.version, epoch: config.epoch },
        ...{ toolVersion: facts.version, packages: packedPackages(materials) },
        ...{ trees: packedTrees(image.output.stage, roles), kernels: packedKernels(roles) },
      }),
    );
    return {
      slsa: blobOf(statement, "statement"),
      spdx: blobOf(bill, "spdx"),
      cyclonedx: blobOf(bill, "cyclonedx"),
    };
  });
}
