/** `kind: "verity-signature"` → the stage that signs a root hash. */
import { signRootHash } from "../sign/sign-root-hash.ts";
import { blobOf } from "../stage/stage.ts";
import type { PlanContext } from "./context.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { keyInputs } from "./signing.ts";
import { verifiedImage } from "./tree-images.ts";

export function planVeritySignature(
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"verity-signature"> },
): PlannedImage {
  const stage = signRootHash({
    ...{ name: `sign:${name}`, rootHash: verifiedImage(ctx, image.of).rootHash!, format: image.format },
    ...keyInputs(ctx, image.sign),
    what: `root hash of ${image.of}`,
  });
  return { name, kind: "verity-signature", output: blobOf(stage, "signature"), fileName: `${name}.${image.format}` };
}
