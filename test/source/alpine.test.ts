/** Alpine packages: from a signed mirror of our own to a root whose scripts have run; and what is refused on the way. */
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "../../src/base/errors.ts";
import { readApkControl } from "../../src/formats/apk-package.ts";
import { readAlpineIndex } from "../../src/source/alpine.ts";
import { makeIndex, makePackage, makeSigner, type TestPackage, writeMirror } from "../support/alpine-mirror.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const signer = makeSigner();

const PACKAGES = (): TestPackage[] => [
  {
    name: "base",
    info: ["depend = /bin/sh", "depend = data=1.0-r0"],
    files: [
      { path: "etc" },
      { path: "etc/passwd", content: "root:x:0:0:root:/root:/bin/sh\nmail:x:8:12:mail:/:/bin/false\n" },
      { path: "etc/group", content: "root:x:0:\nmail:x:12:\n" },
      { path: "etc/shadow", content: "root:*::0:::::\n" },
      { path: "tmp", mode: 0o1777 },
      { path: "usr/bin/su", content: "su", mode: 0o4755 },
      { path: "home/mail", content: "m", uid: 8 },
    ],
    scripts: {
      "pre-install": "#!/bin/sh\necho shadow:x:42: >>/etc/group\nexit 0\n",
      "post-install":
        '#!/bin/sh\nchown root:shadow /etc/shadow\nchmod 640 /etc/shadow\ncd /home && chown -R mail /home/mail "/etc/passwd"\necho "$1" >/etc/installed\nrm -f /home/gone\n',
    },
  },
  {
    name: "shell",
    version: "2.0-r1",
    info: ["provides = /bin/sh", "provides = cmd:sh=2.0-r1", "triggers = /bin /usr/bin /opt/*"],
    files: [
      { path: "bin" },
      { path: "bin/busybox", content: fs.readFileSync(needProgram("busybox", "busybox-static")), mode: 0o755 },
      { path: "bin/sh", target: "/bin/busybox" },
      { path: "opt/tool" },
    ],
    scripts: {
      trigger: '#!/bin/sh\n/bin/busybox mkdir -p /sbin\n/bin/busybox --install -s /bin\necho "$*" >/etc/triggered\n',
    },
  },
  { name: "data", files: [{ path: "home/gone", content: "x" }] },
  { name: "doc", files: [{ path: "usr/share/doc", content: "text" }] },
  { name: "both", info: ["install_if = doc base=1.0-r0"], files: [{ path: "etc/both", content: "" }] },
  { name: "enemy", info: ["depend = !base"] },
  { name: "needy", info: ["depend = so:libnothing.so.1"] },
  { name: "picky", info: ["depend = base>2"] },
];

function project(packages: readonly string[], extra = "", more: readonly TestPackage[] = PACKAGES()): string {
  const mirror = temporaryDir();
  writeMirror(mirror, more, signer);
  const dir = writeProject(`
name: alpine
sources: { alpine: { mirror: "file://${mirror}", branch: v9.9, repositories: [main], keys: [./keys/${signer.name}] } }
trees: { root: { from: [{ alpine: [${packages.join(", ")}]${extra} }] } }
images: { tar: { kind: tar, tree: root, compress: none } }
`);
  fs.mkdirSync(path.join(dir, "keys"));
  fs.writeFileSync(path.join(dir, "keys", signer.name), signer.publicKey);
  return dir;
}

async function entriesOf(cwd: string): Promise<Map<string, Record<string, string>>> {
  const result = await runCli(["inspect", "tree:root", "--json"], { cwd });
  const { parts } = documentOf(result) as {
    parts: { name: string; size: number; attributes: Record<string, string> }[];
  };
  return new Map(parts.map(({ name, attributes }) => [name, attributes]));
}

const build = async (cwd: string) => {
  const result = await runCli(["build"], { cwd });
  expect(result.exit, result.stderr).toBe(0);
};

describe("a root", { timeout: 120_000 }, () => {
  test("has what packages bring, and what their scripts and triggers make; the same bytes twice", async () => {
    const cwd = project(["base", "doc"]);
    await build(cwd);
    const entries = await entriesOf(cwd);
    const own = (name: string) => [entries.get(name)?.type, entries.get(name)?.mode, entries.get(name)?.owner];
    expect(own("/usr/bin/su")).toEqual(["file", "4755", "0:0"]);
    expect(own("/tmp")).toEqual(["directory", "1777", "0:0"]);
    expect(own("/etc/shadow")).toEqual(["file", "0640", "0:42"]);
    expect(own("/home/mail")).toEqual(["file", "0644", "8:0"]);
    expect(own("/etc/passwd")).toEqual(["file", "0644", "8:0"]);
    expect(own("/etc/both")).toEqual(["file", "0644", "0:0"]);
    expect(entries.has("/home/gone")).toBe(false);
    expect(entries.has("/.bootwright")).toBe(false);
    expect(entries.get("/bin/ls")).toMatchObject({ type: "symlink", target: "/bin/busybox" });
    const { tar } = await buildProject(cwd);
    const text = fs.readFileSync(tar!).toString("latin1");
    expect(text).toContain("/bin /opt/tool /usr/bin\n"); // What the trigger was told.
    expect(text).toContain("mail:x:12:\nshadow:x:42:\n");
    const again = await buildProject(cwd, { storeDir: temporaryDir() });
    expect(fs.readFileSync(again.tar!).equals(fs.readFileSync(tar!))).toBe(true);
  });

  test("has apk's database", async () => {
    const cwd = project(["base"], ", scripts: false");
    const { tar } = await buildProject(cwd);
    const text = fs.readFileSync(tar!).toString("latin1");
    expect(text).toMatch(
      /C:Q1.{27}=\nP:base\nV:1\.0-r0\nA:x86_64\nS:\d+\nI:4096\nT:A test\nU:-\nL:MIT\no:base\nD:\/bin\/sh data=1\.0-r0\n/,
    );
    expect(text).toMatch(/F:usr\/bin\nR:su\na:0:0:4755\nZ:Q1/);
    expect(text).toMatch(/F:tmp\nM:0:0:1777\n/);
    expect(text).toMatch(/base-1\.0-r0\.Q1.{27}=\.post-install/);
    expect(text).toMatch(/Q1.{27}= \/bin \/usr\/bin \/opt\/\*\n/);
    expect(text).toContain("echo shadow:x:42: >>/etc/group");
    await build(cwd);
    expect((await entriesOf(cwd)).has("/bin/ls")).toBe(false);
    const lock = fs.readFileSync(path.join(cwd, "bootwright.lock"), "utf8");
    expect(lock).toContain('"alpine v9.9 x86_64 base"');
    expect(lock).not.toContain("file://");
    // What a package depends on comes before it.
    expect([...lock.matchAll(/"name":"([a-z]+)"/g)].map(([, name]) => name)).toEqual(["shell", "data", "base"]);
  });

  test.each([
    [["base", "enemy"], "PACKAGE_CONFLICT", /enemy cannot be beside base 1\.0-r0/],
    [["needy"], "PACKAGE_UNKNOWN", /needy needs so:libnothing\.so\.1, which the branch does not have/],
    [["picky"], "PACKAGE_UNKNOWN", /picky needs base>2; the branch has base 1\.0-r0/],
    [["shel"], "PACKAGE_UNKNOWN", /the config needs shel, which the branch does not have.*shell/],
  ])("%j is refused: %s", async (packages, code, text) => {
    const result = await runCli(["build"], { cwd: project(packages) });
    expect(result.exit).toBe(2);
    expect(result.stderr).toContain(code);
    expect(result.stderr).toMatch(text);
  });

  test("a script that fails is said with what it said", async () => {
    const failing = PACKAGES().map((one) =>
      one.name === "base" ? { ...one, scripts: { "post-install": "#!/bin/sh\necho no way >&2\nexit 3\n" } } : one,
    );
    const result = await runCli(["build"], { cwd: project(["base"], "", failing) });
    expect(result.exit).toBe(8);
    expect(result.stderr).toMatch(/no way[\s\S]*base-1\.0-r0\..*\.post-install ended with exit code 3/);
  });

  test("without sources.alpine the config says what it needs", async () => {
    const cwd = writeProject(
      "name: x\ntrees: { root: { from: [{ alpine: [base] }] } }\nimages: { t: { kind: tar, tree: root } }\n",
    );
    const { exit, stderr } = await runCli(["config"], { cwd });
    expect([exit, stderr]).toEqual([
      2,
      expect.stringContaining("needs `sources: { alpine: { mirror, branch, keys } }`"),
    ]);
  });
});

test("packages may be listed in a file", async () => {
  const cwd = project(["data"], ", scripts: false");
  const config = path.join(cwd, "bootwright.yaml");
  fs.writeFileSync(config, fs.readFileSync(config, "utf8").replace("alpine: [data]", "alpine: ./packages.list"));
  const missing = await runCli(["build"], { cwd });
  expect([missing.exit, missing.stderr]).toEqual([
    2,
    expect.stringMatching(/PATH_MISSING.*packages\.list does not exist/),
  ]);
  fs.writeFileSync(path.join(cwd, "packages.list"), "# what we need\ndata  # files\n\ndoc\n");
  await build(cwd);
  expect(fs.readFileSync(path.join(cwd, "bootwright.lock"), "utf8")).toContain('"alpine v9.9 x86_64 data doc"');
});

test("update pins what the branch has now; a version that is gone is said", async () => {
  const cwd = project(["data"], ", scripts: false");
  await build(cwd);
  const mirror = /file:\/\/([^"]+)/.exec(fs.readFileSync(path.join(cwd, "bootwright.yaml"), "utf8"))![1]!;
  fs.rmSync(path.join(mirror, "v9.9"), { recursive: true });
  writeMirror(mirror, [{ name: "data", version: "1.0-r1" }], signer);
  const gone = await runCli(["build", "--frozen"], { cwd, store: temporaryDir() });
  expect([gone.exit, gone.stderr]).toEqual([
    5,
    expect.stringMatching(/PACKAGE_GONE.*data 1\.0-r0[\s\S]*bootwright update/),
  ]);
  const updated = await runCli(["update", "data"], { cwd });
  expect(updated.stdout).toBe("~ alpine v9.9 x86_64 data: data 1.0-r0 → data 1.0-r1\n");
  await build(cwd);
});

describe("signatures", () => {
  const keys = new Map([[signer.name, signer.publicKey]]);
  const index = (by = signer) => makeIndex([makePackage({ name: "a" }, signer).stanza], by);

  test.each(["RSA", "RSA256"] as const)("%s is verified", async (kind) => {
    const other = makeSigner("other.rsa.pub", kind);
    const trusted = new Map([[other.name, other.publicKey]]);
    expect((await readAlpineIndex(index(other), { keys: trusted, what: "index" })).map(({ name }) => name)).toEqual([
      "a",
    ]);
    await expect(readAlpineIndex(index(other), { keys, what: "index" })).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      message: "index is signed by other.rsa.pub, which is not among the keys",
    });
    const forged = makeSigner(other.name, kind);
    await expect(readAlpineIndex(index(forged), { keys: trusted, what: "index" })).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      message: "index: the signature by other.rsa.pub does not verify",
    });
  });

  test("a package that is another than the index says is not used", async () => {
    const cwd = project(["data"]);
    const mirror = /file:\/\/([^"]+)/.exec(fs.readFileSync(path.join(cwd, "bootwright.yaml"), "utf8"))![1]!;
    const file = path.join(mirror, "v9.9/main/x86_64/data-1.0-r0.apk");
    const { bytes } = makePackage({ name: "data", files: [{ path: "home/gone", content: "y" }] }, signer);
    fs.writeFileSync(file, bytes.subarray(0, fs.statSync(file).size));
    const result = await runCli(["build"], { cwd });
    expect(result.exit).toBe(7);
    expect(result.stderr).toMatch(/DIGEST_MISMATCH.*data 1\.0-r0: the mirror's file is another/s);
  });

  test("damage is an error with a code, never a crash", async () => {
    const { bytes } = makePackage(
      { name: "a", files: [{ path: "f", content: "text" }], scripts: { trigger: "x" } },
      signer,
    );
    const known = ["FORMAT_INVALID", "SIGNATURE_INVALID", "LIMIT_EXCEEDED", "UNSUPPORTED", "PATH_UNSAFE"] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(bytes, index()),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.nat(),
        async (source, changes, length) => {
          const damaged = Buffer.from(source.subarray(0, length % (source.length + 1)));
          for (const [at, value] of changes) if (damaged.length > 0) damaged[at % damaged.length] = value;
          const read =
            source === bytes
              ? readApkControl(damaged, { what: "a", keys })
              : readAlpineIndex(damaged, { what: "a", keys });
          await read.catch((error: unknown) =>
            expect([error, known.some((code) => hasCode(error, code))]).toEqual([error, true]),
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});
