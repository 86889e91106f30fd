/**
 * A Debian root whose packages do all that is hard without root: owners, modes, devices, capabilities, triggers, services.
 * The archive is one of our own: Debian's essential packages, and beside them packages made here.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readTar, type TarMember } from "../../src/formats/tar-reader.ts";
import { readControl } from "../../src/source/debian-control.ts";
import { loadLock } from "../../src/source/lock.ts";
import { debianArchive, type FakePackage, SUITE, signingKey } from "../support/debian-archive.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, sharedStore, temporaryDir, writeProject } from "../support/test-session.ts";

const REAL = `
name: real
trees: { root: { from: [{ debian: [libcap2-bin, passwd], variant: essential }] } }
images: { root: { kind: tar, tree: root, compress: none } }
`;

let essential: readonly FakePackage[] = [];

beforeAll(async () => {
  const dir = writeProject(REAL);
  await buildProject(dir);
  const lock = Object.entries(loadLock(path.join(dir, "bootwright.lock")));
  const packages = lock.flatMap(([name, pin]) =>
    / (root|closure|packages) /.test(name) && pin.type === "debian" ? pin.packages : [],
  );
  const real = new Map<string, FakePackage>();
  for (const { name, sha256, version, arch } of packages) {
    const content = fs.readFileSync(path.join(sharedStore(), "blobs", sha256.slice(0, 2), sha256));
    const control = await readControl([content], name);
    const fields = ["Essential", "Pre-Depends", "Depends", "Provides"].filter((field) =>
      control.has(field.toLowerCase()),
    );
    real.set(name, {
      name,
      version,
      arch,
      content,
      fields: fields.map((field) => `${field}: ${control.get(field.toLowerCase())}`),
    });
  }
  essential = [...real.values()];
}, 240_000);

const ODD = `#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
# No network, no service, nobody's files but the root's own.
if service=$(invoke-rc.d odd start 2>&1); then :; fi
grep -q -v lo: /proc/net/dev
mkdir -p /srv/odd
mknod /srv/odd/device b 7 200
mkfifo /srv/odd/pipe
echo mine >/srv/odd/file && chown 1234:4321 /srv/odd/file && chmod 4751 /srv/odd/file
ln -s file /srv/odd/link && chown -h 77:78 /srv/odd/link
ln /srv/odd/file /srv/odd/hard
install -d -o mail -g shadow -m 2750 /srv/odd/dir
cp /bin/true /srv/odd/capable && setcap cap_net_raw+ep /srv/odd/capable
adduser --system --group --no-create-home odd >&2 2>/dev/null || { groupadd -r odd; useradd -r -g odd odd; }
install -o odd -g odd -m 600 /dev/null /srv/odd/owned
[ "$(stat -c '%U:%G %a' /srv/odd/owned)" = "odd:odd 600" ]
`;

test("owners, modes, devices, capabilities and accounts are what the scripts made them", {
  timeout: 240_000,
}, async () => {
  const odd = deb("odd", { depends: "libcap2-bin, passwd", scripts: { postinst: ODD }, conffile: "etc/odd.conf" });
  const entries = await installed([odd], ["odd"]);
  const at = (name: string) => entries.get(`srv/odd/${name}`);
  expect(at("device")).toMatchObject({ type: "block", major: 7, minor: 200, uid: 0 });
  expect(at("pipe")).toMatchObject({ type: "fifo" });
  expect(at("file")).toMatchObject({ type: "file", uid: 1234, gid: 4321, mode: 0o4751 });
  expect(at("hard")).toMatchObject({ type: "hardlink", target: "srv/odd/file" });
  expect(at("link")).toMatchObject({ type: "symlink", uid: 77, gid: 78 });
  expect(at("dir")).toMatchObject({ type: "directory", uid: 8, gid: 42, mode: 0o2750 });
  expect(at("owned")!.uid).toBeGreaterThanOrEqual(100);
  // VFS_CAP_REVISION_2 with the effective bit, cap_net_raw (13).
  const [capability] = at("capable")!.xattrs;
  expect(capability).toMatchObject({ name: "security.capability" });
  expect(Buffer.from(capability!.value).toString("hex")).toBe("0100000200200000000000000000000000000000");
  // What says when and where it was made is not there; what changed while it was made has the project's time.
  expect([...entries.keys()].filter((name) => /-old$|\.log$|passwd-$|\.bootwright|sbin\/policy-rc/.test(name))).toEqual(
    [],
  );
  expect(at("file")!.mtime).toBe(315_532_800);
  expect(entries.get("var/lib/dpkg/info/odd.conffiles")).toBeDefined();
  expect(entries.get("usr/bin/passwd")).toMatchObject({ mode: 0o4755 });
  expect(entries.get("dev/null")).toMatchObject({ type: "char", major: 1, minor: 3, mode: 0o666 });
});

test("a script that fails is named, with what it said", { timeout: 240_000 }, async () => {
  const bad = deb("bad", { scripts: { postinst: "#!/bin/sh\necho asking the oracle >&2\nexit 3\n" } });
  const after = deb("zz-after", { depends: "bad" });
  await expect(installed([bad, after], ["zz-after"])).rejects.toMatchObject({
    code: "PACKAGE_FAILED",
    exit: 8,
    message: "the post-installation script of bad failed (3)",
    detail: expect.stringContaining("asking the oracle"),
  });
  const early = deb("early", { scripts: { preinst: "#!/bin/sh\ncat /proc/not-there\n" } });
  await expect(installed([early], ["early"])).rejects.toMatchObject({
    message: "the pre-installation script of early failed (1)",
    detail: expect.stringContaining("No such file"),
  });
});

test("packages that conflict are named", { timeout: 240_000 }, async () => {
  const conflicting = [deb("left"), deb("right", { conflicts: "left" })];
  await expect(installed(conflicting, ["left", "right"])).rejects.toMatchObject({
    code: "PACKAGE_FAILED",
    message: expect.stringMatching(/^(left|right) could not be installed/),
    detail: expect.stringContaining("conflict"),
  });
});

interface DebOptions {
  readonly depends?: string;
  readonly conflicts?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly conffile?: string;
}

function deb(name: string, { depends, conflicts, scripts = {}, conffile }: DebOptions = {}): FakePackage {
  const dir = temporaryDir();
  const write = (file: string, text: string, mode = 0o644) => {
    fs.mkdirSync(path.join(dir, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(dir, file), text, { mode });
  };
  const fields = [...(depends ? [`Depends: ${depends}`] : []), ...(conflicts ? [`Conflicts: ${conflicts}`] : [])];
  const about = [`Package: ${name}`, "Version: 1.0", "Architecture: all", "Maintainer: nobody <nobody@test.invalid>"];
  write("DEBIAN/control", [...about, ...fields, "Description: made by a test", ""].join("\n"));
  for (const [script, text] of Object.entries(scripts)) write(`DEBIAN/${script}`, text, 0o755);
  if (conffile !== undefined) {
    write("DEBIAN/conffiles", `/${conffile}\n`);
    write(conffile, "setting\n");
  }
  fs.chmodSync(dir, 0o755);
  const file = path.join(temporaryDir(), "package.deb");
  execFileSync(needProgram("dpkg-deb", "dpkg"), ["--root-owner-group", "--build", dir, file], { stdio: "pipe" });
  return { name, arch: "all", fields, content: fs.readFileSync(file) };
}

/** The root's entries by path. */
async function installed(extra: readonly FakePackage[], names: readonly string[]): Promise<Map<string, TarMember>> {
  const key = signingKey();
  const archive = debianArchive({ packages: [...essential, ...extra], signers: [key] });
  const dir = writeProject(`
name: odd
sources: { debian: { mirror: "${archive.source.uri}", suite: ${SUITE}, keyring: "${key.keyring}" } }
trees: { root: { from: [{ debian: [${names.join(", ")}], variant: essential }] } }
images: { root: { kind: tar, tree: root, compress: none } }
`);
  const { root } = await buildProject(dir);
  const entries = new Map<string, TarMember>();
  for await (const member of readTar(fs.createReadStream(root!))) entries.set(member.path, member);
  return entries;
}
