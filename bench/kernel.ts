/**
 * Kernels of one's own: how long one takes to build, to link again with another initramfs, and to boot, beside Debian's kernel for
 * the cloud. They are those of two examples; each group compiles its own first: minutes.
 */
import fs from "node:fs";
import path from "node:path";
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

const EXAMPLES = path.join(import.meta.dirname, "../examples");

const project = (name: string, rest: string): string => `import { defineProject } from "bootwright";

const source = { debian: "linux-source-6.12" };

export default defineProject({
  name: "${name}",
${rest}});
`;

const BOOTED = project(
  "booted",
  `  kernels: {
    own: {
      from: "source",
      source,
      localversion: "-generic",
      config: { base: "allnoconfig", fragments: ["microvm", "./generic.config"] },
    },
    stock: { from: "debian", package: "linux-image-cloud-amd64" },
  },
  initramfs: { own: { init: "busybox", kernel: "own" }, stock: { init: "busybox", kernel: "stock" } },
  images: {
    own: { kind: "kernel", kernel: "own", initramfs: "own", cmdline: "console=ttyS0 quiet" },
    stock: { kind: "kernel", kernel: "stock", initramfs: "stock", cmdline: "console=ttyS0 quiet" },
  },
`,
);

const LINKED = project(
  "linked",
  `  kernel: {
    from: "source",
    source,
    localversion: "-truthdb",
    config: { base: "allnoconfig", fragments: ["./truthdb.config"] },
  },
  initramfs: { init: "busybox", files: { "/etc/motd": { file: "./motd" } } },
  images: {
    embedded: { kind: "efi", embed: "kernel", cmdline: "console=ttyS0 quiet" },
    uki: { kind: "uki", cmdline: "console=ttyS0 quiet" },
  },
`,
);

interface Booted {
  readonly bootedIn: number;
  readonly phases: readonly { readonly phase: string; readonly ms: number }[];
}

/** The kernel of examples/generic-kernel beside Debian's. The first build compiles it. */
export function bootRows({ makeProject, writeFile, bootwright, run }: Bench): BenchRow[] {
  const dir = makeProject("booted", BOOTED);
  writeFile(dir, "generic.config", example("generic-kernel/kernel/generic.config"));
  bootwright(dir, "build", "stock");
  const cold = bootwright(dir, "build", "own");
  const boot = (image: string): Booted =>
    JSON.parse(run(dir, ["boot", image, "--wait", "--json", "--firmware=microvm"]).stdout) as Booted;
  // By turns, so that whatever else the machine does meets both.
  const boots = Array.from({ length: 7 }, () => ({ ours: boot("own"), theirs: boot("stock") }));
  const row = (name: string, value: (booted: Booted) => number, note: string): BenchRow => ({
    name,
    ours: middle(boots.map(({ ours }) => value(ours))),
    theirs: middle(boots.map(({ theirs }) => value(theirs))),
    unit: "ms",
    note: `${note}; theirs: Debian's cloud kernel, by turns`,
  });
  const userspace = ({ phases }: Booted): number => phases.find(({ phase }) => phase === "init")!.ms;
  return [
    { name: "first build of a microVM kernel", ours: cold, unit: "ms", note: "once; with the compiler's packages" },
    row("its first line of userspace, QEMU microvm", userspace, "from power-on; bar 2000"),
    row("the agent's word", ({ bootedIn }) => bootedIn, "from power-on"),
  ];
}

/** The kernel of examples/truthdb with one initramfs after the other. The first build compiles it. */
export function linkRows({ makeProject, writeFile, bootwright, median, settle }: Bench): BenchRow[] {
  const dir = makeProject("linked", LINKED);
  writeFile(dir, "truthdb.config", example("truthdb/kernel/truthdb.config"));
  writeFile(dir, "motd", "first\n");
  settle();
  bootwright(dir, "build");
  let change = 0;
  const afterChange = (image: string) => () => {
    // Never the text of an earlier run, whose result a store might have.
    writeFile(dir, "motd", `change ${++change}, ${Date.now()}\n`);
    settle();
    return bootwright(dir, "build", image);
  };
  const relink = median(3, afterChange("embedded"));
  const uki = median(3, afterChange("uki"));
  const unchanged = median(5, () => bootwright(dir, "build"));
  return [
    { name: "unchanged build of a kernel", ours: unchanged, unit: "ms", note: "two images; bar 300" },
    {
      name: "changed initramfs, in the kernel",
      ours: relink,
      theirs: uki,
      unit: "ms",
      note: "theirs: in a UKI; bar 25000",
    },
    { name: "changed initramfs, in a UKI", ours: uki, unit: "ms", note: "bar 1000" },
  ];
}

const example = (file: string): string => fs.readFileSync(path.join(EXAMPLES, file), "utf8");

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
