/** What an image says of itself: the stages that state how it was made. */
import { canonicalJson, type Json } from "../base/json.ts";
import { PREDICATES } from "../formats/intoto.ts";
import { type BuildFacts, slsaPredicate } from "../provenance/slsa.ts";
import { statementStage } from "../provenance/statement-stage.ts";
import { blobOf, type OutputRef } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { imageMaterials, stageRoles } from "./materials.ts";
import type { PlannedImage } from "./planned-image.ts";

export interface PlannedProvenance {
  /** An in-toto statement whose predicate is SLSA's. */
  readonly slsa: OutputRef<BlobArtifact>;
}

export function planProvenance(ctx: PlanContext, image: PlannedImage, facts: BuildFacts): PlannedProvenance {
  return ctx.once(`provenance:${image.name}:${canonicalJson(facts as unknown as Json)}`, () => {
    const { config } = ctx;
    const materials = imageMaterials(stageRoles(image.output.stage), ctx.pins);
    const request = {
      ...{ project: config.name, projectVersion: config.version, image: image.name, kind: image.kind },
      ...{ architecture: config.arch, epoch: config.epoch },
    };
    const statement = statementStage({
      name: `provenance:${image.name}`,
      ...{ artifact: image.output, fileName: image.fileName },
      ...{ predicateType: PREDICATES.slsa, predicate: slsaPredicate(request, { facts, materials }) },
    });
    return { slsa: blobOf(statement, "statement") };
  });
}
