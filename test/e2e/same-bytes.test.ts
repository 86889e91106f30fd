/** The same bytes twice (design §7.2): whatever the place, the time, the user and the environment. */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type CliOptions, documentOf, runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { sharedStore, temporaryDir, writeProject } from "../support/test-session.ts";

const RICH = `
name: rich
version: 1.2.3
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs:
  main:
    init: busybox
    compress: zstd
    modules: [virtio_blk, overlay]
    microcode: ./microcode
    hostname: rich
    users: { zoe: { password: none }, alice: { password: none } }
    from: [{ dir: ./overlay }, { debian: [busybox-static], unpack: true, to: /packages }]
    files: { /etc/motd: { file: ./overlay/b }, /srv/null: { device: c 1 3 } }
    services: { idle: { exec: [/bin/sleep, "9"] } }
  xz: { init: busybox, compress: xz }
  lz4: { init: busybox, compress: lz4 }
  gzip: { init: busybox, compress: gzip }
  none: { init: busybox, compress: none }
images:
  uki: { kind: uki, initramfs: main, cmdline: console=ttyS0 quiet }
  beside: { kind: efi, embed: none, initramfs: xz, cmdline: console=ttyS0 }
  esp: { kind: esp, contains: [uki, { file: ./overlay/Ä file, to: "docs/Ä file.txt" }], size: 64MiB, label: BOOT }
  esp-dir: { kind: esp, contains: [uki], format: directory }
  direct: { kind: kernel, initramfs: lz4, cmdline: quiet }
  gzip: { kind: cpio, initramfs: gzip }
  none: { kind: cpio, initramfs: none }
`;

const RICH_FILES = {
  "overlay/a": "a\n",
  "overlay/b": "b\n",
  "overlay/Ä file": "name with a blank and a letter\n",
  "overlay/opt/tool": "#!/bin/sh\n",
  "microcode/intel-ucode/06-01-01": "one",
  "microcode/intel-ucode/06-01-02": "two",
};

const EXAMPLE = path.join(import.meta.dirname, "../../examples/hello");

/** What a build may not notice. Each build has a store of its own, with nothing in it but the packages. */
const SURROUNDINGS: Readonly<
  Record<string, (home: string) => Pick<CliOptions, "env" | "wrapper"> & { args?: string[] }>
> = {
  "one job, another locale and time zone": (home) => ({
    args: ["--jobs", "1"],
    env: { LANG: "tr_TR.UTF-8", LC_ALL: "de_DE.ISO-8859-1", TZ: "Pacific/Kiritimati", HOME: home, XDG_CACHE_HOME: "" },
  }),
  "a strict umask, many jobs": () => ({
    args: ["--jobs", "16"],
    wrapper: ["sh", "-c", 'umask 077; exec "$@"', "sh"],
  }),
  "another user": (home) => ({
    // In a user namespace: a checkout that only we can read stays readable.
    wrapper: [needProgram("unshare", "util-linux"), "--user", "--map-user=4711", "--map-group=4712", "--"],
    env: { HOME: home, XDG_CACHE_HOME: "" },
  }),
};

const first: Record<string, Record<string, string>> = {};
const projects = { rich: "", hello: "" };

beforeAll(async () => {
  projects.rich = writeProject(RICH, RICH_FILES);
  projects.hello = temporaryDir();
  fs.copyFileSync(path.join(EXAMPLE, "bootwright.config.ts"), path.join(projects.hello, "bootwright.config.ts"));
  for (const [name, dir] of Object.entries(projects)) first[name] = await digests(dir, {});
});

test.each(Object.keys(SURROUNDINGS))("%s", async (name) => {
  // What other programs hold against a path: a blank, a quote, letters outside ASCII.
  const base = temporaryDir("bw it's ä 日本 ");
  const store = path.join(base, "store");
  const { args = [], ...surroundings } = SURROUNDINGS[name]!(fs.mkdtempSync(path.join(base, "home-")));
  for (const [project, from] of Object.entries(projects)) {
    const dir = path.join(base, project);
    copyProject(from, dir);
    givePackages(path.join(dir, "bootwright.lock"), store);
    const found = await digests(dir, { store, args: [...args, "--frozen", "--offline"], ...surroundings });
    expect(found).toEqual(first[project]);
  }
});

async function digests(dir: string, { args = [], ...options }: Omit<CliOptions, "cwd"> & { args?: readonly string[] }) {
  const result = await runCli(["build", "--json", ...args], { ...options, cwd: dir });
  expect(result.exit, result.stderr).toBe(0);
  const { images } = documentOf(result) as { images: { name: string; digest: string }[] };
  return Object.fromEntries(images.map(({ name, digest }) => [name, digest]));
}

/** In another order, with other times and modes; of a mode, only whether a file can be run counts. */
function copyProject(from: string, to: string): void {
  fs.cpSync(from, to, { recursive: true, filter: (file) => path.relative(from, file) !== "out" });
  for (const name of fs.readdirSync(to, { recursive: true, encoding: "utf8" }).reverse()) {
    const file = path.join(to, name);
    if (fs.statSync(file).isFile()) fs.chmodSync(file, fs.statSync(file).mode & 0o100 ? 0o700 : 0o600);
    fs.utimesSync(file, 978_307_200, 978_307_200 + name.length);
  }
}

/** The archives that the lock pins, as if they had just been downloaded. */
function givePackages(lockFile: string, store: string): void {
  for (const [hash] of fs.readFileSync(lockFile, "utf8").matchAll(/\b[0-9a-f]{64}\b/g)) {
    const at = path.join("blobs", hash.slice(0, 2), hash);
    const [from, to] = [path.join(sharedStore(), at), path.join(store, at)];
    fs.mkdirSync(path.dirname(to), { recursive: true });
    if (fs.existsSync(from) && !fs.existsSync(to)) fs.copyFileSync(from, to);
  }
}
