/**
 * A Debian root, beside mmdebstrap: how long it takes, and whether both make the same files with the same owners and modes.
 * What differs for a reason stands in `EXPLAINED`; anything else ends the bench.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { readTar, type TarMember } from "../src/formats/tar-reader.ts";
import { aptSources } from "../src/source/apt-config.ts";
import type { BenchRow } from "./formats.ts";

export interface Bench {
  readonly makeProject: (name: string, config: string) => string;
  readonly writeFile: (project: string, name: string, content: string) => void;
  /** Milliseconds. */
  readonly bootwright: (project: string, ...words: string[]) => number;
  readonly median: (rounds: number, measure: () => number) => number;
  readonly settle: () => void;
}

const PACKAGES = ["dbus", "openssh-server", "systemd-sysv", "udev"];

const config = (images: string) => `import { defineProject } from "bootwright";

export default defineProject({
  name: "debian",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  trees: {
    base: { from: [{ debian: ${JSON.stringify(PACKAGES)} }] },
    root: { from: [{ tree: "base" }, { dir: "./root" }] },
  },
  initramfs: { init: "busybox", root: true },
  images: { ${images} },
});
`;

export async function rows(bench: Bench): Promise<BenchRow[]> {
  const project = bench.makeProject("debian", config(`base: { kind: "tar", tree: "base", compress: "none" }`));
  bench.writeFile(project, "root/etc/changed", "0\n");
  const ours = bench.bootwright(project, "build");
  const [theirs, archive] = mmdebstrap(project);
  const found = await differences(path.join(project, "out/base.tar"), archive);
  fs.rmSync(archive);
  if (found.length > 0) throw new Error(`not what mmdebstrap makes:\n${found.join("\n")}`);

  const disk = `uki: { kind: "uki", cmdline: "root=PARTLABEL=root" }, disk: { kind: "disk", esp: ["uki"], espSize: "64MiB", tree: "root" }`;
  bench.writeFile(project, "bootwright.config.ts", config(disk));
  bench.bootwright(project, "build");
  let round = 0;
  const changed = bench.median(7, () => {
    bench.writeFile(project, "root/etc/changed", `${++round}\n`);
    bench.settle();
    return bench.bootwright(project, "build");
  });
  bench.settle();
  bench.bootwright(project, "build");
  const unchanged = bench.median(9, () => bench.bootwright(project, "build"));
  const note = "with their downloads; same files, owners and modes; theirs: mmdebstrap";
  return [
    { name: "Debian root with systemd and ssh", ours, theirs, unit: "ms", note },
    { name: "one changed file in it → new disk", ours: changed, unit: "ms", note: "bar 3000" },
    { name: "unchanged disk of it", ours: unchanged, unit: "ms", note: "bar 300" },
  ];
}

/** With the archives that Bootwright takes, and with what it calls the required variant. */
function mmdebstrap(dir: string): readonly [ms: number, archive: string] {
  const archive = path.join(dir, "theirs.tar");
  const sources = aptSources({ components: ["main"] }, { projectDir: dir });
  const lines = sources.map(
    ({ uri, suite, components, keyrings }) =>
      `deb [signed-by=${keyrings.join(",")}] ${uri} ${suite} ${components.join(" ")}\n`,
  );
  const began = performance.now();
  const words = [
    "--variant=required",
    `--include=${["usr-is-merged", ...PACKAGES].join(",")}`,
    "--quiet",
    "-",
    archive,
    "-",
  ];
  words.splice(words.indexOf("-"), 1, sources[0]!.suite);
  const { status, stderr, error } = spawnSync("mmdebstrap", words, {
    input: lines.join(""),
    encoding: "utf8",
    env: { ...process.env, SOURCE_DATE_EPOCH: "315532800" },
  });
  if (status !== 0) throw error ?? new Error(`mmdebstrap ended with ${status}\n${stderr}`);
  return [performance.now() - began, archive];
}

/** Why a path is not the same. */
const EXPLAINED: readonly RegExp[] = [
  // The building host's own settings; who pins packages does not need them in the image.
  /^etc\/(apt\/apt\.conf\.d\/99mmdebstrap|apt\/sources\.list(\.d\/.*)?|fstab|hostname|resolv\.conf)$/,
  // Traces of the installation: locks, backups, logs.
  /^(etc\/(\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-)|var\/lib\/dpkg\/.*-old|var\/log\/.*)$/,
  // apt has run in theirs.
  /^var\/(cache|lib)\/apt\//,
  // /dev as a machine without devtmpfs should have it.
  /^dev\/(console|shm|ptmx)$/,
  // What belongs to one machine: host keys and their service, the machine's id.
  /^etc\/ssh\/ssh_host_|^etc\/machine-id$|^var\/lib\/dbus\/machine-id$|ssh-host-keys\.service$|ssh\.service\.wants$/,
];

async function differences(ours: string, theirs: string): Promise<string[]> {
  const [mine, other] = [await membersOf(ours), await membersOf(theirs)];
  return [...new Set([...mine.keys(), ...other.keys()])]
    .filter((name) => mine.get(name) !== other.get(name) && !EXPLAINED.some((reason) => reason.test(name)))
    .map((name) => `/${name}: ${mine.get(name) ?? "not there"}; mmdebstrap: ${other.get(name) ?? "not there"}`);
}

async function membersOf(archive: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const member of readTar(fs.createReadStream(archive), { duplicates: true }))
    found.set(member.path, member.type === "hardlink" ? found.get(member.target)! : describe(member));
  return found;
}

/** Without sizes: those of lists and caches depend on what is explained above. */
function describe({ type, mode, uid, gid, target, major, minor, xattrs }: TarMember): string {
  const attributes = xattrs.map(({ name, value }) => `${name}=${Buffer.from(value).toString("hex")}`).join(" ");
  const kind = type === "file" ? "file" : `${type} ${target}${major}:${minor}`;
  return `${kind} ${type === "symlink" ? "" : mode.toString(8)} ${uid}:${gid} ${attributes}`.trimEnd();
}
