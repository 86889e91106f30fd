/**
 * A menu on an EFI system partition: systemd-boot as the boot program, UKIs where it looks for them, and its settings. What is
 * counted has its tries in its file name, which systemd-boot itself changes (UAPI.1 Boot Loader Specification, "Boot counting"; docs/decisions/0019-boot-menus.md).
 */
import { menuTries } from "../config/menu.ts";
import type { BlobInput, OutputRef } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { efiProgram } from "./efi-programs.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { signed } from "./signing.ts";
import { textBlob } from "./sources.ts";

export type BootMenu = NonNullable<ImageSection<"esp" | "disk">["menu"]>;

export function planBootMenu(
  ctx: PlanContext,
  { name, menu, entries }: { name: string; menu: BootMenu; entries: readonly PlannedImage[] },
): {
  readonly boot: BlobInput;
  readonly files: readonly { readonly path: string; readonly content: BlobInput }[];
  readonly first: PlannedImage;
  /** Where each entry lies, by name; without the counter, which changes. */
  readonly places: Readonly<Record<string, string>>;
} {
  const first = entries.find((entry) => entry.name === menu.default) ?? entries[0]!;
  const tries = (entry: PlannedImage) => menuTries(menu, { entry: entry.name, first: first.name });
  // Firmware asks for a signature of the loader when it asks for one of what is loaded.
  const section = ctx.config.images[first.name] as ImageSection<"uki">;
  const settings = [
    ...(tries(first) === undefined ? [`default ${first.name}.efi`] : []),
    `timeout ${menu.timeout}`,
    ...(section.sign === undefined ? [] : ["editor no"]),
    "",
  ];
  return {
    boot: signed(ctx, efiProgram(ctx, "boot"), { name: `loader:${name}`, key: section.sign }),
    files: [
      ...entries.map((entry) => {
        const count = tries(entry);
        const counter = count === undefined ? "" : `+${count}`;
        return {
          path: `EFI/Linux/${entry.name}${counter}.efi`,
          content: entry.output as OutputRef<BlobArtifact>,
        };
      }),
      { path: "loader/loader.conf", content: textBlob(ctx, `loader:${name}`, settings.join("\n")) },
    ],
    first,
    places: Object.fromEntries(entries.map((entry) => [entry.name, `EFI/Linux/${entry.name}.efi`])),
  };
}
