/** What lies where on an EFI system partition: the files that firmware looks for, by architecture (UEFI 2.10, 3.5.1.1). */
import { BootwrightError } from "../base/errors.ts";
import type { FatItem } from "../formats/fat.ts";
import { type FileContent, safePath } from "../formats/filetree.ts";

export type EfiArchitecture = "amd64" | "arm64" | "i386" | "riscv64" | "loong64";

/** The name that firmware starts from removable media when nothing else is set. */
export const EFI_BOOT_NAMES = {
  amd64: "BOOTX64.EFI",
  arm64: "BOOTAA64.EFI",
  i386: "BOOTIA32.EFI",
  riscv64: "BOOTRISCV64.EFI",
  loong64: "BOOTLOONGARCH64.EFI",
} as const satisfies Record<EfiArchitecture, string>;

/** `EFI/BOOT/BOOTX64.EFI`. */
export const efiBootPath = (architecture: EfiArchitecture): string => `EFI/BOOT/${EFI_BOOT_NAMES[architecture]}`;

export interface EspFile {
  /** Bytes. */
  readonly size: number;
  readonly read: () => Iterable<Uint8Array>;
  /** Where the store has it. */
  readonly content?: FileContent;
}

export interface EspOptions {
  readonly architecture: EfiArchitecture;
  /** The program that firmware starts: a UKI, an EFI-stub kernel or a boot loader. */
  readonly boot: EspFile;
  /** Further files by path ("/loader/loader.conf"). */
  readonly files?: Readonly<Record<string, EspFile>>;
}

/** The items of an ESP, for `encodeFat` or for a directory. Throws TREE_CONFLICT when a file takes the boot program's place. */
export function espItems(options: EspOptions): FatItem[] {
  const bootPath = efiBootPath(options.architecture);
  const items: FatItem[] = [{ type: "file", path: bootPath, ...options.boot }];
  for (const [name, file] of Object.entries(options.files ?? {})) {
    const path = safePath(name, "ESP", { absolute: true });
    if (path.toUpperCase() === bootPath)
      throw new BootwrightError("TREE_CONFLICT", `ESP: ${name} is the boot program's own place`);
    items.push({ type: "file", path, ...file });
  }
  return items;
}
