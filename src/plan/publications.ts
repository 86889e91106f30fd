/** Images of `publish` → what is built for them. */
import type { OutputRef } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { planImage } from "./images.ts";
import { planKernel } from "./kernels.ts";
import type { PlannedImage } from "./planned-image.ts";

export interface PlannedPublication {
  readonly image: PlannedImage;
  /** Text of `uname -r` of the kernel that it starts; absent where it has none. */
  readonly release: OutputRef<BlobArtifact> | undefined;
}

export function planPublication(ctx: PlanContext, name: string): PlannedPublication {
  const kernel = kernelOf(ctx, name);
  return {
    image: planImage(ctx, name),
    release: kernel === undefined ? undefined : (planKernel(ctx, kernel).release as OutputRef<BlobArtifact>),
  };
}

function kernelOf(ctx: PlanContext, name: string): string | undefined {
  const image = ctx.config.images[name];
  if (image?.kind === "iso") return kernelOf(ctx, image.boot);
  return image !== undefined && "kernel" in image ? image.kernel : undefined;
}
