/** A small kernel with modules, compiled from nothing in two places. Only by `npm run test:full`: it compiles twice. */
import { expect, test } from "vitest";
import { buildImages } from "../../src/api/build.ts";
import { temporaryDir, withProject, writeProject } from "../support/test-session.ts";

const PROJECT = `
name: twice
kernel:
  from: source
  source: { debian: linux-source-6.12 }
  config: { base: allnoconfig, fragments: [./small.config], require: [BLK_DEV_LOOP=m, SQUASHFS=m] }
  localversion: "-twice"
  ccache: false
image: { kind: kernel, with: [System.map, config, modules, vmlinux] }
`;

const CONFIG = `CONFIG_64BIT=y
CONFIG_SMP=y
CONFIG_PRINTK=y
CONFIG_MODULES=y
CONFIG_MODULE_SIG=y
CONFIG_MODVERSIONS=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_BINFMT_ELF=y
CONFIG_BLOCK=y
CONFIG_BLK_DEV=y
CONFIG_BLK_DEV_LOOP=m
CONFIG_MISC_FILESYSTEMS=y
CONFIG_SQUASHFS=m
CONFIG_SQUASHFS_ZSTD=y
CONFIG_EFI=y
CONFIG_EFI_STUB=y
CONFIG_ACPI=y
CONFIG_PCI=y
CONFIG_IKCONFIG=y
CONFIG_KALLSYMS=y
`;

async function compiled(dir: string): Promise<{ hash: string; ran: readonly string[] }> {
  const ran: string[] = [];
  const options = {
    storeDir: temporaryDir("bootwright-store-"),
    emit: (event: { type: string; stage?: string }) =>
      void (event.type === "stage.start" && ran.push(event.stage ?? "")),
  };
  return withProject(dir, options, async (opened) => {
    const { built } = await buildImages(opened, { images: [] });
    return { hash: built[0]!.artifact.hash, ran };
  });
}

test.runIf(process.env.BOOTWRIGHT_TEST_FULL)(
  "kernel, symbols, configuration and modules have the same bytes in another directory and store",
  { timeout: 60 * 60_000 },
  async () => {
    const [first, second] = [
      await compiled(writeProject(PROJECT, { "small.config": CONFIG })),
      await compiled(writeProject(PROJECT, { "small.config": CONFIG })),
    ];
    expect(second.hash).toBe(first.hash);
    // Both stores were empty: neither took anything from the other.
    expect(second.ran.toSorted()).toEqual(first.ran.toSorted());
  },
);
