/** systemd's EFI programs: the stub of UKIs, the empty add-on, the boot loader. */
import type { EfiArchitecture } from "../image/esp.ts";
import type { BlobInput } from "../stage/stage.ts";
import type { PlanContext } from "./context.ts";
import type { ImageSection } from "./planned-image.ts";
import { fileFromTree, localBlob, packageTrees } from "./sources.ts";

export const architecture = (ctx: PlanContext): EfiArchitecture => (ctx.config.arch === "aarch64" ? "arm64" : "amd64");

type OfUki = Pick<ImageSection<"uki">, "stub">;

export const ukiStub = (ctx: PlanContext, { stub }: OfUki): BlobInput =>
  typeof stub === "string" ? localBlob(ctx, stub) : efiProgram(ctx, "stub", stub?.suite);

/** Of the same release as the UKI's stub, where that is told. */
export const emptyAddon = (ctx: PlanContext, { stub }: OfUki): BlobInput =>
  efiProgram(ctx, "addon", typeof stub === "string" ? undefined : stub?.suite);

/** From the distribution's package; `suite` undefined: the project's own. */
export function efiProgram(
  ctx: PlanContext,
  program: "stub" | "boot" | "addon",
  suite = ctx.config.sources.debian.suite,
): BlobInput {
  const other = suite === ctx.config.sources.debian.suite ? "" : `:${suite}`;
  return ctx.once(`efi-program:${program}${other}`, () => {
    const tag = ctx.config.arch === "aarch64" ? "aa64" : "x64";
    const file = { stub: `linux${tag}.efi.stub`, boot: `systemd-boot${tag}.efi`, addon: `addon${tag}.efi.stub` };
    const [tree] = packageTrees(ctx, {
      type: "debian-packages",
      packages: ["systemd-boot-efi"],
      arch: ctx.debianArch,
      suite,
    });
    return fileFromTree(ctx, {
      name: `efi-program:${program}${other}`,
      tree: tree!,
      path: `usr/lib/systemd/boot/efi/${file[program]}`,
      ...(program === "addon" && {
        hint: 'systemd has add-ons since release 254: take the UKI\'s stub from a newer Debian, stub: { suite: "trixie" }',
      }),
    });
  });
}
