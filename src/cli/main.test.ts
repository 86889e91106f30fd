/** The program as a user meets it. */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { ERROR_CODES } from "../base/error-codes.ts";
import { projectDir } from "../config/project.fake.ts";
import { bootwright } from "./run.fake.ts";
import { COMMANDS } from "./table.ts";

const CONFIG = `import { defineProject } from "bootwright";
import { motd } from "./motd.ts";

export default defineProject({
  name: "hello",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  initramfs: { init: "busybox", files: { "/etc/motd": motd } },
  images: { hello: { kind: "uki", cmdline: "console=ttyS0 quiet" } },
});
`;
const MOTD = "export const motd: string = 'hi';\n";

beforeAll(() => {
  bootwright(["--help"]); // Fills the compile cache, so that the times below are the usual ones.
});

test("the first help screen fits 80×24 and names three examples", () => {
  const { stdout, stderr, exit } = bootwright([]);
  expect(exit).toBe(0);
  expect(stderr).toBe("");
  expect(stdout.trimEnd().split("\n").length).toBeLessThanOrEqual(24);
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(bootwright(["--help"]).stdout).toBe(stdout);
  expect(bootwright(["help"]).stdout).toBe(stdout);
});

test("every command has a page with its usage and an example", () => {
  for (const { name, summary } of COMMANDS) {
    const { stdout, exit } = bootwright(["help", name]);
    expect(exit).toBe(0);
    expect(stdout).toContain(`bootwright ${name}`);
    expect(stdout.toLowerCase()).toContain(summary);
    expect(stdout).toContain("Examples:\n");
  }
}, 60_000);

test("command --help is the same page, and guides are topics", () => {
  expect(bootwright(["build", "--help"]).stdout).toBe(bootwright(["help", "build"]).stdout);
  expect(bootwright(["help", "config"]).stdout).toContain("# The config");
});

test("mistakes in the command line", () => {
  expect(bootwright(["buidl"])).toMatchObject({ exit: 2, stdout: "" });
  expect(bootwright(["buidl"]).stderr).toBe(
    '✗ USAGE  unknown command "buidl"; did you mean "build"?\n  hint  bootwright help\n  docs  bootwright explain USAGE\n',
  );
  expect(bootwright(["store", "gcc"]).stderr).toContain('unknown action "gcc"; did you mean "gc"?');
  expect(bootwright(["diff", "a"]).stderr).toContain("diff needs B");
  expect(bootwright(["version", "x"]).stderr).toContain('"x" is one argument too many');
  expect(bootwright(["--progress=tty", "version"]).stderr).toContain("needs a terminal");
});

test("--json prints one document, also on failure", () => {
  const good = bootwright(["version", "--json"]);
  expect(JSON.parse(good.stdout)).toMatchObject({ schema: "bootwright.version/1", ok: true });
  const bad = bootwright(["config", "--json"], { cwd: projectDir({ "bootwright.yaml": "nme: x\n" }) });
  expect(bad.exit).toBe(2);
  expect(JSON.parse(bad.stdout)).toMatchObject({
    schema: "bootwright.config/1",
    ok: false,
    error: { code: "CONFIG_INVALID", docs: "bootwright explain CONFIG_INVALID" },
  });
  expect(JSON.parse(bootwright(["nope", "--json"]).stdout)).toMatchObject({ ok: false, error: { code: "USAGE" } });
});

test("a TypeScript config loads without node_modules, with its local modules", () => {
  const cwd = projectDir({ "bootwright.config.ts": CONFIG, "motd.ts": MOTD });
  const { stdout, stderr, exit } = bootwright(["config", "--json"], { cwd });
  expect(stderr).toBe("");
  expect(exit).toBe(0);
  expect(JSON.parse(stdout).config.initramfs.default.files["/etc/motd"].content).toBe("hi");
});

test("mistakes in a TypeScript config have their place", () => {
  const text = CONFIG.replace("cmdline:", "cmdlin:")
    .replace('"busybox"', '"busybocks"')
    .replace("import { motd }", "import { motd as m }");
  const cwd = projectDir({ "bootwright.config.ts": text.replace(": motd }", ": m.length }"), "motd.ts": MOTD });
  const { stderr, exit } = bootwright(["config"], { cwd });
  expect(exit).toBe(2);
  expect(stderr).toBe(`✗ CONFIG_INVALID  3 mistakes in bootwright.config.ts

✗ initramfs.init: expected one of "busybox", "none", or an absolute path inside the image, such as "/etc/motd"
  bootwright.config.ts:7:22
   5 │   name: "hello",
   6 │   kernel: { from: "debian", package: "linux-image-cloud-amd64" },
 > 7 │   initramfs: { init: "busybocks", files: { "/etc/motd": m.length } },
     │                      ^^^^^^^^^^^ did you mean "busybox"?
   8 │   images: { hello: { kind: "uki", cmdlin: "console=ttyS0 quiet" } },

✗ initramfs.files["/etc/motd"]: expected text or a map, found 2
  bootwright.config.ts:7:57
   5 │   name: "hello",
   6 │   kernel: { from: "debian", package: "linux-image-cloud-amd64" },
 > 7 │   initramfs: { init: "busybocks", files: { "/etc/motd": m.length } },
     │                                                         ^^^^^^^^
   8 │   images: { hello: { kind: "uki", cmdlin: "console=ttyS0 quiet" } },

✗ images.hello.cmdlin: unknown key
  bootwright.config.ts:8:35
   6 │   kernel: { from: "debian", package: "linux-image-cloud-amd64" },
   7 │   initramfs: { init: "busybocks", files: { "/etc/motd": m.length } },
 > 8 │   images: { hello: { kind: "uki", cmdlin: "console=ttyS0 quiet" } },
     │                                   ^^^^^^ did you mean "cmdline"?
   9 │ });
  docs  bootwright explain CONFIG_INVALID
`);
});

test("a config that throws, or is no TypeScript, is an error with its line", () => {
  const throws = projectDir({ "bootwright.config.ts": "const a: number = 1;\nthrow new Error(String(a));\n" });
  expect(bootwright(["config"], { cwd: throws }).stderr).toContain("bootwright.config.ts:2:7");
  const broken = projectDir({ "bootwright.config.ts": "export default {\n  name: = 3,\n};\n" });
  const { stderr, exit } = bootwright(["config"], { cwd: broken });
  expect(exit).toBe(2);
  expect(stderr).toContain("CONFIG_LOAD_FAILED");
});

test("config --show-origin says where values came from, and never shows what came from the environment", () => {
  const yaml = 'name: "x-{env:SECRET}"\narch: x86_64\nprofiles: { p: { arch: aarch64 } }\n';
  const cwd = projectDir({ "bootwright.yaml": yaml });
  const { stdout } = bootwright(["config", "--show-origin", "--profile", "p"], { cwd, env: { SECRET: "hunter2" } });
  expect(stdout).toContain('name: "x-{env:SECRET}"  # environment: SECRET\n');
  expect(stdout).toContain("arch: aarch64  # profile p\n");
  expect(stdout).toContain("epoch: 315532800  # default\n");
  expect(stdout).not.toContain("hunter2");
});

test("init makes a project that is valid, and overwrites nothing", () => {
  for (const template of ["hello", "yaml"]) {
    const cwd = projectDir({});
    const made = bootwright(["init", "My OS é", "--template", template], { cwd });
    expect(made.exit).toBe(0);
    expect(made.stdout).toContain("bootwright build");
    const config = bootwright(["config", "--json"], { cwd: path.join(cwd, "My OS é") });
    expect(config.stderr).toBe("");
    expect(JSON.parse(config.stdout)).toMatchObject({ ok: true, config: { name: "my-os" } });
    const again = bootwright(["init", "My OS é"], { cwd });
    expect(again.exit).toBe(2);
    expect(again.stderr).toContain("EXISTS");
  }
}, 30_000);

test("explain knows every code", () => {
  expect(bootwright(["explain", "LOCK_FROZEN"]).stdout).toContain(ERROR_CODES.LOCK_FROZEN.title);
});

test("completion: static scripts that shells accept, dynamic names", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout, exit } = bootwright(["completion", shell]);
    expect(exit).toBe(0);
    for (const { name } of COMMANDS) expect(stdout).toContain(name);
  }
  const cwd = projectDir({ "bootwright.config.ts": CONFIG, "motd.ts": MOTD });
  expect(bootwright(["__complete", "build", "he"], { cwd }).stdout).toBe("hello\n");
  expect(bootwright(["__complete", "b"], { cwd }).stdout).toBe("build\nboot\n");
  expect(bootwright(["__complete", "boot", "--firmware", ""], { cwd }).stdout).toBe("uefi\ndirect\nmicrovm\n");
  expect(bootwright(["__complete", "build", ""], { cwd: projectDir({}) })).toMatchObject({ exit: 0, stdout: "" });
});

test("the generated files are fresh", async () => {
  const { spawnSync } = await import("node:child_process");
  const script = path.join(import.meta.dirname, "../../scripts/generate.ts");
  const result = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
  expect(result.stderr).toBe("");
  expect(result.status).toBe(0);
});

test("a closed reader is no error", async () => {
  const { spawnSync } = await import("node:child_process");
  const bin = path.join(import.meta.dirname, "../../bin/bootwright.js");
  const script = `"${process.execPath}" "${bin}" help --all | head -c 1 >/dev/null; echo \${PIPESTATUS[0]}`;
  const result = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  expect(result.stderr).toBe("");
  expect(result.stdout.trim()).toBe("0");
});

test("an old Node finds a new one, or says what is missing", () => {
  const source = fs.readFileSync(path.join(import.meta.dirname, "../../bin/bootwright.js"), "utf8");
  // Syntax that Node 12 lacks must not creep in.
  expect(source).not.toMatch(/\?\.|\?\?|^\s*await |#[a-z]+ =/m);
});
