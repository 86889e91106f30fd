/**
 * What a network boot needs in one directory, as the root of a TFTP or HTTP server: the EFI program that firmware itself
 * fetches, and for loaders that take kernel and initrd apart the same two with an iPXE script and a PXELINUX menu.
 */
import { comparePaths } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import type { FileTree } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";

export interface NetbootOptions {
  readonly name: string;
  /** The EFI program, under the name that firmware is told: "bootx64.efi". */
  readonly efi: { readonly program: BlobInput; readonly file: string };
  readonly kernel: BlobInput;
  readonly initrd: BlobInput | undefined;
  readonly cmdline: string;
  /** Shown in menus. */
  readonly title: string;
}

type NetbootInputs = { program: BlobInput; kernel: BlobInput; initrd: BlobInput | undefined };

export function netbootStage(options: NetbootOptions): Stage<NetbootInputs, { tree: TreeArtifact }> {
  const { name, efi, kernel, initrd, cmdline, title } = options;
  return defineStage<NetbootInputs, { tree: TreeArtifact }>({
    name,
    kind: "netboot",
    version: 1,
    inputs: { program: efi.program, kernel, initrd },
    params: { file: efi.file, cmdline, title },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const boot = { cmdline, title, initrd: inputs.initrd !== undefined };
      const files: readonly (readonly [string, Digest])[] = [
        [efi.file, inputs.program],
        ["vmlinuz", inputs.kernel],
        ...(inputs.initrd === undefined ? [] : [["initrd", inputs.initrd] as const]),
        ["boot.ipxe", store.blobs.put(ipxeScript(boot))],
        ["pxelinux.cfg/default", store.blobs.put(pxelinuxMenu(boot))],
      ];
      const own = { uid: 0, gid: 0 };
      const tree: FileTree = [
        ...["", "pxelinux.cfg"].map((path) => ({ ...own, type: "directory" as const, path, mode: 0o755 })),
        ...files.map(([path, { hash, size }]) => ({
          ...{ ...own, type: "file" as const, path, mode: 0o644 },
          content: { hash, size },
        })),
      ];
      return { tree: store.putTree([...tree].sort((a, b) => comparePaths(a.path, b.path))) };
    },
  });
}

interface Boot {
  readonly cmdline: string;
  readonly title: string;
  readonly initrd: boolean;
}

/** Addresses are relative to the script's own. An EFI-stub kernel finds the initrd by the name on its command line. */
export function ipxeScript({ cmdline, title, initrd }: Boot): string {
  const words = ["kernel", "vmlinuz", ...(initrd ? ["initrd=initrd"] : []), cmdline].filter((word) => word !== "");
  return ["#!ipxe", `echo ${title}`, words.join(" "), ...(initrd ? ["initrd initrd"] : []), "boot", ""].join("\n");
}

/** Files are relative to the TFTP root. */
export function pxelinuxMenu({ cmdline, title, initrd }: Boot): string {
  return [
    "DEFAULT linux",
    "PROMPT 0",
    "LABEL linux",
    `  MENU LABEL ${title}`,
    "  KERNEL vmlinuz",
    ...(initrd ? ["  INITRD initrd"] : []),
    ...(cmdline === "" ? [] : [`  APPEND ${cmdline}`]),
    "",
  ].join("\n");
}
