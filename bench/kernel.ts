/**
 * A kernel of one's own: how long it takes to build, to link again with another initramfs, and to boot, beside Debian's kernel
 * for the cloud. The first row compiles a kernel: minutes.
 */
import type { BenchRow } from "./formats.ts";

interface Bench {
  readonly makeProject: (name: string, config: string) => string;
  readonly writeFile: (project: string, name: string, content: string) => void;
  /** Milliseconds. */
  readonly bootwright: (project: string, ...words: string[]) => number;
  readonly run: (project: string, words: readonly string[]) => { readonly stdout: string };
  readonly median: (rounds: number, measure: () => number) => number;
  readonly settle: () => void;
}

const CONFIG = `import { defineProject } from "bootwright";

export default defineProject({
  name: "kernels",
  kernels: {
    own: {
      from: "source",
      source: { debian: "linux-source-6.12" },
      config: { base: "tinyconfig", fragments: ["microvm", "./efi.config"] },
    },
    stock: { from: "debian", package: "linux-image-cloud-amd64" },
  },
  initramfs: {
    own: { init: "busybox", kernel: "own", files: { "/etc/motd": { file: "./motd" } } },
    stock: { init: "busybox", kernel: "stock" },
  },
  images: {
    own: { kind: "kernel", kernel: "own", initramfs: "own", cmdline: "console=ttyS0 quiet" },
    stock: { kind: "kernel", kernel: "stock", initramfs: "stock", cmdline: "console=ttyS0 quiet" },
    embedded: { kind: "efi", embed: "kernel", kernel: "own", initramfs: "own", cmdline: "console=ttyS0 quiet" },
    uki: { kind: "uki", kernel: "own", initramfs: "own", cmdline: "console=ttyS0 quiet" },
  },
});
`;

export function rows({ makeProject, writeFile, bootwright, run, median, settle }: Bench): BenchRow[] {
  const project = makeProject("kernels", CONFIG);
  writeFile(project, "efi.config", "CONFIG_EFI=y\nCONFIG_EFI_STUB=y\n");
  writeFile(project, "motd", "first\n");
  settle();
  bootwright(project, "build", "stock");
  const cold = bootwright(project, "build", "own");
  bootwright(project, "build");
  let change = 0;
  const afterChange = (image: string) => () => {
    writeFile(project, "motd", `change ${++change}\n`);
    settle();
    return bootwright(project, "build", image);
  };
  const relink = median(3, afterChange("embedded"));
  const uki = median(3, afterChange("uki"));
  const unchanged = median(5, () => bootwright(project, "build"));
  const boot = (image: string) => () =>
    (JSON.parse(run(project, ["boot", image, "--wait", "--json", "--firmware=microvm"]).stdout) as { bootedIn: number })
      .bootedIn;
  return [
    {
      name: "first build of a microVM kernel",
      ours: cold,
      unit: "ms",
      note: "once; the compiler's packages are fetched, too",
    },
    { name: "unchanged build of it", ours: unchanged, unit: "ms", note: "four images; bar 300" },
    {
      name: "changed initramfs, in the kernel",
      ours: relink,
      theirs: uki,
      unit: "ms",
      note: "theirs: in a UKI; bar 25000",
    },
    { name: "changed initramfs, in a UKI", ours: uki, unit: "ms", note: "bar 1000" },
    {
      name: "boot of it on QEMU's microvm",
      ours: median(5, boot("own")),
      theirs: median(5, boot("stock")),
      unit: "ms",
      note: "power-on to the agent's word; theirs: Debian's cloud kernel; bar 2000",
    },
  ];
}
