/** What lies on an EFI system partition: images and files, with a menu in front of them. */
import { BootwrightError } from "../base/errors.ts";
import { efiBootPath } from "../image/esp.ts";
import type { BlobInput, OutputRef } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import { addonPath } from "./addons.ts";
import { type BootMenu, planBootMenu } from "./boot-menu.ts";
import type { PlanContext } from "./context.ts";
import { architecture } from "./efi-programs.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { localBlob, sourceFile } from "./sources.ts";
import { wholeFile } from "./whole-file.ts";

/** Plans an image by name. */
export type Find = (name: string) => PlannedImage;

interface EspFile {
  readonly path: string;
  readonly content: BlobInput;
}

export interface EspContents {
  /** What firmware starts. */
  readonly boot: BlobInput;
  readonly files: readonly EspFile[];
  readonly common: Pick<PlannedImage, "name" | "direct" | "agent">;
}

/** All that lies on it, for `PlannedImage.contents`. */
export const espFiles = (
  ctx: PlanContext,
  { boot, files, label }: Pick<EspContents, "boot" | "files"> & { label: string },
): NonNullable<PlannedImage["contents"]> =>
  [{ path: efiBootPath(architecture(ctx)), content: boot }, ...files].map(({ path, content }) => ({
    name: `${label}/${path}`,
    content,
  }));

export interface EspWish {
  readonly name: string;
  /** The first image is what firmware starts, unless a menu says otherwise. */
  readonly items: ImageSection<"esp">["contains"];
  readonly find: Find;
  readonly menu?: BootMenu | undefined;
}

export function espContents(ctx: PlanContext, { name, items, find, menu }: EspWish): EspContents {
  const images = items
    .filter((item) => typeof item === "string")
    .map(find)
    .map((image) => ({ ...image, output: singleFile(ctx, image, name) }));
  if (images.length === 0) throw new BootwrightError("CONFIG_INVALID", `image ${name} contains no image to boot`);
  const programs = images.filter(({ addonOf }) => addonOf === undefined);
  const { first, boot, files, places } =
    menu === undefined ? plain(ctx, programs) : planBootMenu(ctx, { name, menu, entries: programs });
  const addons = images.flatMap((image) =>
    image.addonOf === undefined
      ? []
      : { path: addonPath(places[image.addonOf]!, image), content: image.output as OutputRef<BlobArtifact> },
  );
  const given = items.flatMap((item) => {
    if (typeof item === "string") return [];
    const content = "file" in item ? localBlob(ctx, item.file) : sourceFile(ctx, item.source).file;
    return { path: item.to.replace(/^\/+/, ""), content };
  });
  return {
    boot,
    files: [...files, ...addons, ...given],
    common: { name, ...(first.direct && { direct: first.direct }), agent: first.agent ?? false },
  };
}

function singleFile(ctx: PlanContext, image: PlannedImage, name: string): OutputRef<BlobArtifact> {
  const file = wholeFile(ctx, image);
  if (file !== undefined) return file;
  throw new BootwrightError("UNSUPPORTED", `image ${name} contains ${image.name}, which is a directory`, {
    hint: "contain UKIs, EFI files and single files",
  });
}

/** The first image is the boot program, the others lie beside it. */
function plain(
  ctx: PlanContext,
  images: readonly PlannedImage[],
): { first: PlannedImage; boot: BlobInput; files: readonly EspFile[]; places: Readonly<Record<string, string>> } {
  const [first, ...others] = images;
  const placed = others.map(({ name, kind, fileName, output }) => ({
    name,
    path: kind === "uki" ? `EFI/Linux/${fileName}` : fileName,
    content: output as OutputRef<BlobArtifact>,
  }));
  return {
    first: first!,
    boot: first!.output as OutputRef<BlobArtifact>,
    files: placed.map(({ path, content }) => ({ path, content })),
    places: {
      ...Object.fromEntries(placed.map(({ name, path }) => [name, path])),
      [first!.name]: efiBootPath(architecture(ctx)),
    },
  };
}
