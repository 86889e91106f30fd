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
  if (found.length > 0) throw new Error(`not what mmdebstrap makes:\n${found.slice(0, 40).join("\n")}`);

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
  // A tmpfs in the running system.
  /^run\//,
  // Traces of the installation: locks, backups, logs.
  /^(etc\/(\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-)|var\/(lib\/dpkg|cache\/debconf)\/.*(-old|[Ll]ock|lock-frontend)|var\/log\/.*)$/,
  // apt has run in theirs, and dpkg was told the architecture for it.
  /^var\/(cache|lib)\/apt\/|^var\/lib\/dpkg\/arch$/,
  // /dev as a machine without devtmpfs should have it.
  /^dev\/(console|shm|ptmx)$/,
  // What belongs to one machine: host keys and their service, the machine's id.
  /^etc\/ssh\/ssh_host_|^etc\/machine-id$|^var\/lib\/dbus\/machine-id$|ssh-host-keys\.service$|ssh\.service\.wants$/,
];

async function differences(ours: string, theirs: string): Promise<string[]> {
  const [mine, other] = [await readRoot(ours), await readRoot(theirs)];
  // What only belongs to packages that apt takes besides: it chooses usrmerge, which is written in Perl, where we have usr-is-merged.
  const besides = new Set([...other.packages].flatMap(([name, paths]) => (mine.packages.has(name) ? [] : paths)));
  const isExplained = (name: string): boolean =>
    EXPLAINED.some((reason) => reason.test(name)) ||
    (!mine.entries.has(name) &&
      (besides.has(name) || besides.has(name.replace(/^usr\//, "")) || ofPackage(name) !== undefined));
  return [...new Set([...mine.entries.keys(), ...other.entries.keys()])]
    .filter((name) => mine.entries.get(name) !== other.entries.get(name) && !isExplained(name))
    .map(
      (name) =>
        `/${name}: ${mine.entries.get(name) ?? "not there"}; mmdebstrap: ${other.entries.get(name) ?? "not there"}`,
    );
}

interface Root {
  readonly entries: ReadonlyMap<string, string>;
  /** The paths of each package. */
  readonly packages: ReadonlyMap<string, readonly string[]>;
}

/** "var/lib/dpkg/info/bash.list" → "bash". */
const ofPackage = (name: string): string | undefined => /^var\/lib\/dpkg\/info\/(.+)\.[a-z0-9]+$/.exec(name)?.[1];

async function readRoot(archive: string): Promise<Root> {
  const members = new Map<string, TarMember>();
  const texts = new Map<string, string>();
  for await (const member of readTar(fs.createReadStream(archive), { duplicates: true })) {
    members.set(
      member.path,
      member.type === "hardlink" ? { ...members.get(member.target)!, path: member.path } : member,
    );
    if (!/^etc\/(passwd|group)$|^var\/lib\/dpkg\/info\/.*\.list$/.test(member.path)) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of member.content()) chunks.push(chunk);
    texts.set(member.path, Buffer.concat(chunks).toString());
  }
  const packages = new Map<string, string[]>();
  for (const [name, text] of texts)
    if (name.endsWith(".list"))
      packages.set(
        ofPackage(name)!,
        text.split("\n").map((line) => line.slice(1)),
      );
  const names = (file: string) =>
    new Map((texts.get(file) ?? "").split("\n").map((line) => [Number(line.split(":")[2]), line.split(":")[0]!]));
  const owners = { users: names("etc/passwd"), groups: names("etc/group") };
  return { entries: new Map([...members].map(([name, member]) => [name, describe(member, owners)])), packages };
}

/** Without sizes: those of lists and caches depend on what is explained above. Owners by name: numbers come in the order of scripts. */
function describe(
  { type, mode, uid, gid, target, major, minor, xattrs }: TarMember,
  { users, groups }: { users: ReadonlyMap<number, string>; groups: ReadonlyMap<number, string> },
): string {
  const attributes = xattrs.map(({ name, value }) => `${name}=${Buffer.from(value).toString("hex")}`).join(" ");
  const kind = type === "file" ? "file" : `${type} ${target}${major}:${minor}`;
  const owner = `${users.get(uid) ?? uid}:${groups.get(gid) ?? gid}`;
  return `${kind} ${type === "symlink" ? "" : mode.toString(8)} ${owner} ${attributes}`.trimEnd();
}
