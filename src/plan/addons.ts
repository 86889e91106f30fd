/** `kind: "addon"` → stages; and where systemd's stub looks for it, beside its UKI. */
import { blobOf } from "../stage/stage.ts";
import { addonStage } from "../uki/addon.ts";
import type { PlanContext } from "./context.ts";
import { emptyAddon, ukiStub } from "./efi-programs.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { signed } from "./signing.ts";

export function planAddon(
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"addon"> },
): PlannedImage {
  const uki = ctx.config.images[image.of] as ImageSection<"uki">;
  const { cmdline } = image;
  const stage = addonStage({ name: `addon:${name}`, empty: emptyAddon(ctx, uki), stub: ukiStub(ctx, uki), cmdline });
  const facts = { cmdline, "added to": image.of };
  const output = signed(ctx, blobOf(stage, "image"), { name: `addon:${name}`, key: image.sign, facts });
  return { name, kind: "addon", output, fileName: `${name}.addon.efi`, addonOf: image.of };
}

/** `uki`: the UKI's path on the partition. */
export const addonPath = (uki: string, { fileName }: PlannedImage): string => `${uki}.extra.d/${fileName}`;
