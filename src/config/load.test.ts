import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "./load.ts";
import { originAt } from "./origin.ts";
import { loadYaml, mistakes, projectDir } from "./project.fake.ts";

const HELLO = `name: hello
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs:
  init: busybox
  files:
    /etc/motd: hello
  run: [/etc/init.d/hello]
images:
  hello: { kind: uki, cmdline: console=ttyS0 quiet }
`;

test("defaults and lone things are filled in", async () => {
  const { config } = await loadYaml(HELLO);
  expect(config.kernels).toEqual({
    default: { from: "debian", package: "linux-image-cloud-amd64", arch: "x86_64" },
  });
  expect(config.images.hello).toMatchObject({ kind: "uki", kernel: "default", initramfs: "default" });
  expect(config.initramfs.default).toMatchObject({ agent: true, console: "shell", compress: { kind: "zstd" } });
  expect(config.initramfs.default?.files["/etc/motd"]).toMatchObject({ type: "content", content: "hello" });
  expect(config).toMatchObject({ arch: "x86_64", seed: "hello" });
});

test("the result is frozen all the way down", async () => {
  const { config } = await loadYaml(HELLO);
  expect(Object.isFrozen(config.initramfs.default?.run)).toBe(true);
});

test("the config is found upwards", async () => {
  const dir = projectDir({ "bootwright.yaml": HELLO, "a/b/c": "" });
  const { file, config } = await loadConfig({ cwd: path.join(dir, "a/b") });
  expect(file).toBe(path.join(dir, "bootwright.yaml"));
  expect(config.dir).toBe(dir);
});

test("no config and two configs are errors", async () => {
  expect(await mistakes(loadConfig({ cwd: projectDir({}) }))).toEqual([
    "CONFIG_NOT_FOUND",
    expect.stringContaining("no bootwright.config.ts or bootwright.yaml in"),
  ]);
  const dir = projectDir({ "bootwright.yaml": HELLO, "bootwright.config.ts": "" });
  expect((await mistakes(loadConfig({ cwd: dir })))[0]).toBe("USAGE");
});

test("all mistakes at once, each with its place and what was meant", async () => {
  const found = await mistakes(
    loadYaml(`name: Hello
kernel:
  from: debain
  package: x
initramfs:
  init: busybox
  compress: zstdd
  fils: {}
  from:
    - dri: ./x
images:
  hello:
    kind: uki
    cmdlin: quiet
  esp:
    kind: esp
    contains: [helo]
machine:
  memory: lots
epoch: -1
`),
  );
  expect(found).toEqual([
    "CONFIG_INVALID",
    '1:7 name: expected a name: lower-case letters, digits, ".", "_" and "-", first a letter or digit',
    '3:9 kernel.from: expected one of "debian", "catalog", "file", "release", "source"; did you mean "debian"?',
    '7:13 initramfs.compress: expected one of "zstd", "gzip", "xz", "lz4", "none"; did you mean "zstd"?',
    '8:3 initramfs.fils: unknown key; did you mean "files"?',
    expect.stringMatching(/^10:7 initramfs.from\[0\]: expected a map with one of the keys .*; did you mean "dir"\?$/),
    '14:5 images.hello.cmdlin: unknown key; did you mean "cmdline"?',
    '17:16 images.esp.contains[0]: no image is named "helo"; did you mean "hello"?',
    '19:11 machine.memory: expected a size such as "512MiB" or "1GiB"',
    "20:8 epoch: expected at least 0",
  ]);
});

test("a missing key is shown at what lacks it", async () => {
  expect(await mistakes(loadYaml("name: x\nkernel:\n  from: debian\n"))).toEqual([
    "CONFIG_INVALID",
    "2:1 kernel.package: missing: expected text",
  ]);
  expect(await mistakes(loadYaml("initramfs:\n  files: {}\nname: x\n"))).toEqual([
    "CONFIG_INVALID",
    '1:1 initramfs.init: missing: expected one of "busybox", "none"',
  ]);
});

test("with several kernels an image says which", async () => {
  const yaml = `name: x
kernels:
  a: { from: file, image: ./a }
  b: { from: file, image: ./b }
images:
  one: { kind: uki }
`;
  expect(await mistakes(loadYaml(yaml))).toEqual([
    "CONFIG_INVALID",
    '6:3 images.one.kernel: say which kernel: "a", "b"',
  ]);
});

test("singular and plural together are refused", async () => {
  const found = await mistakes(loadYaml("name: x\nkernel: {from: file, image: a}\nkernels: {}\n"));
  expect(found).toEqual(["CONFIG_INVALID", '2:1 kernel: write either "kernel" or "kernels", not both']);
});

test("trees cannot be made of themselves", async () => {
  const found = await mistakes(loadYaml("name: x\ntrees:\n  a: {from: [{tree: b}]}\n  b: {from: [{tree: a}]}\n"));
  expect(found).toEqual([
    "CONFIG_INVALID",
    "3:3 trees.a: is made of itself: a → b → a",
    "4:3 trees.b: is made of itself: b → a → b",
  ]);
});

test("modes are text, because YAML reads 0755 as a decimal number", async () => {
  const yaml = (mode: string) => `name: x\ninitramfs: {init: none, files: {/a: {content: "", mode: ${mode}}}}\n`;
  expect((await mistakes(loadYaml(yaml("0755"))))[1]).toContain("expected octal digits in quotes");
  const { config } = await loadYaml(yaml('"0755"'));
  expect(config.initramfs.default?.files["/a"]).toMatchObject({ mode: 0o755 });
});

const PROFILES = `${HELLO}profiles:
  debug:
    initramfs:
      run: { append: [/etc/init.d/debug] }
      files: { /etc/motd: null }
    images: { hello: { cmdline: debug } }
  plain:
    initramfs: { run: [] }
`;

test("profiles merge maps, replace or append lists, and remove with null", async () => {
  const { config } = await loadYaml(PROFILES, { profiles: ["debug"] });
  expect(config.initramfs.default?.run).toEqual(["/etc/init.d/hello", "/etc/init.d/debug"]);
  expect(config.initramfs.default?.files).toEqual({});
  expect(config.images.hello).toMatchObject({ cmdline: "debug", kind: "uki" });
  const both = await loadYaml(PROFILES, { profiles: ["debug", "plain"] });
  expect(both.config.initramfs.default?.run).toEqual([]);
});

test("a profile's mistakes are found also when it is not chosen, in the profile's own lines", async () => {
  const yaml = `${HELLO}profiles:\n  debug:\n    images:\n      hello: { cmdlin: x, cmdline: 3 }\n`;
  const expected = [
    "CONFIG_INVALID",
    expect.stringMatching(
      /^13:16 profiles\.debug\.images\.hello\.cmdlin: unknown key; allowed here: kind, .*cmdline, /,
    ),
    "13:36 profiles.debug.images.hello.cmdline: expected text, found 3",
  ];
  expect(await mistakes(loadYaml(yaml))).toEqual(expected);
  expect(await mistakes(loadYaml(yaml, { profiles: ["debug"] }))).toEqual(expected);
});

test("an unknown profile names those that exist", async () => {
  expect(await mistakes(loadYaml(PROFILES, { profiles: ["debgu"] }))).toEqual([
    "NAME_UNKNOWN",
    '?:? no profile is named "debgu"; did you mean "debug"?',
  ]);
});

test("environment references", async () => {
  const yaml = 'name: x\nversion: "{env:V:-1}-{env:W}"\n';
  expect((await loadYaml(yaml, { env: { W: "w" } })).config.version).toBe("1-w");
  expect((await loadYaml(yaml, { env: { V: "2", W: "w" } })).config.version).toBe("2-w");
  expect(await mistakes(loadYaml(yaml))).toEqual([
    "ENV_MISSING",
    "2:10 version: the environment variable W is not set",
  ]);
  expect((await mistakes(loadYaml('name: x\nversion: "{env:}"\n')))[1]).toContain("write environment references as");
});

test("origins", async () => {
  const { origins } = await loadYaml(PROFILES.replace("name: hello", 'name: "{env:N}"'), {
    profiles: ["debug"],
    env: { N: "n" },
  });
  expect(originAt(origins, ["name"])).toMatchObject({ kind: "env", names: ["N"] });
  expect(originAt(origins, ["images", "hello", "cmdline"])).toMatchObject({ kind: "profile", name: "debug" });
  expect(originAt(origins, ["kernels", "default", "from"])).toEqual({ kind: "config", path: ["kernel", "from"] });
  expect(originAt(origins, ["initramfs", "default", "run", 1])).toMatchObject({ kind: "profile" });
  expect(originAt(origins, ["initramfs", "default", "agent"])).toEqual({ kind: "default" });
});

test("a kept config is used only while nothing has changed", async () => {
  const cacheDir = projectDir({});
  const dir = projectDir({ "bootwright.yaml": HELLO });
  const old = new Date(Date.now() - 60_000);
  const load = () => loadConfig({ cwd: dir, cacheDir });
  await new Promise((resolve) => setTimeout(resolve, 40)); // Else the file counts as just written.
  fs.utimesSync(path.join(dir, "bootwright.yaml"), old, old);
  await new Promise((resolve) => setTimeout(resolve, 40));
  const first = await load();
  expect(fs.readdirSync(cacheDir)).toHaveLength(1);
  expect(await load()).toEqual(first);
  fs.writeFileSync(path.join(dir, "bootwright.yaml"), HELLO.replace("quiet", "debug"));
  expect((await load()).config.images.hello).toMatchObject({ cmdline: "console=ttyS0 debug" });
});

test("a config with a value from the environment is never kept", async () => {
  const cacheDir = projectDir({});
  const dir = projectDir({ "bootwright.yaml": 'name: "{env:N}"\n' });
  await new Promise((resolve) => setTimeout(resolve, 40));
  await loadConfig({ cwd: dir, cacheDir, env: { N: "secret" } });
  expect(fs.readdirSync(cacheDir)).toEqual([]);
});

test("a config is kept with the defaults of variables, for as long as they are not set", async () => {
  const cacheDir = projectDir({});
  const dir = projectDir({ "bootwright.yaml": 'name: "{env:N:-plain}"\n' });
  const nameWith = async (env: Record<string, string>) => (await loadConfig({ cwd: dir, cacheDir, env })).config.name;
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(await nameWith({ N: "secret" })).toBe("secret");
  expect(fs.readdirSync(cacheDir)).toEqual([]);
  expect(await nameWith({})).toBe("plain");
  expect(fs.readdirSync(cacheDir)).toHaveLength(1);
  expect(await nameWith({ N: "other" })).toBe("other");
  expect(await nameWith({ N: "" })).toBe("plain");
  expect(fs.readFileSync(path.join(cacheDir, fs.readdirSync(cacheDir)[0]!), "utf8")).not.toMatch(/secret|other/);
});
