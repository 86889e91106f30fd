/** The command line as scripts and people use it: streams, documents, exit codes (design §6). */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/table.ts";
import { documentOf, runCli, startCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { processesBelow } from "../support/processes.ts";
import { listing } from "../support/temp-store.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

let dir = "";
let store = "";
const cli = (...args: string[]) => runCli(args, { cwd: dir, store });

beforeAll(async () => {
  dir = await localProject({}, path.join(temporaryDir(), "mit Leerzeichen, Ä & 'quotes'"));
  store = path.join(dir, "store ö");
  expect(await cli("build")).toMatchObject({ exit: 0 });
});

describe("--json prints one document", () => {
  const GOOD: Readonly<Record<string, readonly string[]>> = {
    init: ["init", "new"],
    build: ["build"],
    plan: ["plan"],
    explain: ["explain", "uki"],
    config: ["config"],
    doctor: ["doctor", "--for", "build"],
    inspect: ["inspect", "uki"],
    diff: ["diff", "uki", "uki"],
    store: ["store", "ls"],
    kernel: ["kernel", "ls"],
    completion: ["completion", "bash"],
    help: ["help", "build"],
    version: ["version"],
    update: ["update"],
  };

  test.each(Object.keys(GOOD))("%s, when it works", async (name) => {
    const result = await cli(...GOOD[name]!, "--json");
    expect(result.exit, result.stderr).toBe(0);
    expect(documentOf(result)).toMatchObject({ schema: `bootwright.${name}/1`, ok: true });
  });

  test.each(COMMANDS.map(({ name }) => name))("%s, when it fails", async (name) => {
    const result = await cli(name, "--json", "--no-such-flag");
    expect(result.exit).toBe(2);
    expect(documentOf(result)).toMatchObject({
      schema: `bootwright.${name}/1`,
      ok: false,
      error: {
        code: "USAGE",
        message: "unknown flag --no-such-flag",
        hint: expect.any(String),
        docs: expect.any(String),
      },
    });
    expect(result.stderr).toContain("USAGE");
  });
});

test("build -q prints one digest an image, and nothing else anywhere", async () => {
  const result = await cli("build", "uki", "-q");
  expect(result).toMatchObject({ exit: 0, stderr: "" });
  expect(result.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
});

test("stdout holds the result only; progress goes to stderr", async () => {
  const result = await cli("build", "uki");
  expect(result.stdout).toMatch(/^out\/uki\.efi {2}14\.\d MiB {2}sha256:[0-9a-f]{12}\n$/);
  expect(result.stderr).toMatch(/^#1 .*cached/m);
  expect(result.stderr).not.toContain("\u001b");
});

test("a build in a directory below finds the project above it", async () => {
  const below = path.join(dir, "overlay");
  expect(await runCli(["build", "uki"], { cwd: below, store })).toMatchObject({
    exit: 0,
    stdout: expect.stringMatching(/^\.\.\/out\/uki\.efi/),
  });
});

describe("plan", () => {
  test("writes nothing: neither in the project nor in a store that is there or not", async () => {
    const fresh = await localProject();
    const places = [dir, store, fresh];
    const before = places.map(listing);
    const planned = await cli("plan", "--detailed-exitcode");
    expect(planned).toMatchObject({
      exit: 0,
      stderr: expect.stringMatching(/nothing to do: all \d+ stages are cached/),
    });
    const none = path.join(fresh, "no-store");
    const first = await runCli(["plan", "--detailed-exitcode"], { cwd: fresh, store: none });
    expect(first.exit).toBe(10);
    expect(first.stdout).toMatch(/▸ \S+ +would run/);
    expect(places.map(listing)).toEqual(before);
  });

  test("--graph draws what --json says", async () => {
    const { stages } = documentOf(await cli("plan", "--json")) as { stages: { name: string; needs: string[] }[] };
    const edges = stages.flatMap(({ needs }) => needs).length;
    const mermaid = (await cli("plan", "--graph=mermaid")).stdout;
    expect(mermaid).toMatch(/^flowchart LR\n/);
    expect(mermaid.match(/-->/g)).toHaveLength(edges);
    const dot = (await cli("plan", "--graph", "dot")).stdout;
    expect(dot).toMatch(/^digraph bootwright \{\n.*\}\n$/s);
    expect(dot.match(/->/g)).toHaveLength(edges);
  });
});

describe("a changed file", () => {
  let old = "";
  let now = "";
  let project = "";
  const there = (...args: string[]) => runCli(args, { cwd: project, store });

  beforeAll(async () => {
    project = await localProject();
    expect(await there("build")).toMatchObject({ exit: 0 });
    old = path.join(project, "old.efi");
    fs.copyFileSync(path.join(project, "out/uki.efi"), old);
    now = path.join(project, "out/uki.efi");
    fs.writeFileSync(path.join(project, "motd"), "something else\n");
    expect(await there("plan", "--detailed-exitcode")).toMatchObject({ exit: 10 });
    expect((await there("build")).exit).toBe(0);
  });

  test("is what explain names, along the chain of inputs", async () => {
    const { stdout } = await there("explain", "uki");
    expect(stdout).toMatch(/^uki:uki ran at .* because\n {2}input +initrd \(initramfs:default\)/);
    expect(stdout).toMatch(/input +tree \(tree:initramfs-default\).*\n.*input .*motd/);
    expect(stdout).toMatch(/same .*kernel/);
  });

  test("is what diff shows, inside the initramfs inside the EFI file", async () => {
    const result = await there("diff", old, now);
    expect(result.exit).toBe(10);
    expect(result.stdout).toMatch(/^~ \.initrd › \/etc\/motd {2}/);
    expect(result.stdout.split("\n")).toHaveLength(2);
    expect(await there("diff", now, now)).toMatchObject({ exit: 0, stdout: "" });
  });

  test("is what inspect shows", async () => {
    expect((await there("inspect", "./out/uki.efi")).stdout).toMatch(
      /\.cmdline.*\n +console=ttyS0 quiet\n.*\/etc\/motd/s,
    );
    expect((await there("inspect", "esp")).stdout).toContain("/EFI/BOOT/BOOTX64.EFI");
    expect((await there("inspect", "tree:initramfs-default")).stdout).toMatch(/symlink .*\/bin\/sh → busybox/);
  });
});

test("a changed parameter is what explain names, with its old and new value", async () => {
  const cwd = await localProject();
  const there = (...args: string[]) => runCli(args, { cwd, store });
  expect((await there("build", "uki")).exit).toBe(0);
  const config = path.join(cwd, "bootwright.yaml");
  const text = fs.readFileSync(config, "utf8");
  fs.writeFileSync(config, text.replace("console=ttyS0 quiet }", "console=ttyS0 loud }"));
  expect((await there("build", "uki")).exit).toBe(0);
  const { stdout } = await there("explain", "uki");
  expect(stdout).toContain('param    cmdline  "console=ttyS0 quiet" → "console=ttyS0 loud"');
});

test("store ls, verify, and gc that only says what it would do", async () => {
  expect((await cli("store", "ls")).stdout).toMatch(
    /: \d+ blobs, .*\n(.*\n)* {2}uki .* sha256:[0-9a-f]{12} .*mit Leerzeichen/,
  );
  fs.writeFileSync(path.join(dir, "motd"), "garbage soon\n");
  await cli("build");
  fs.writeFileSync(path.join(dir, "motd"), "not garbage\n");
  await cli("build");
  const before = listing(path.join(store, "blobs"));
  const dry = await cli("store", "gc", "--dry-run");
  expect(dry).toMatchObject({ exit: 10, stdout: expect.stringMatching(/^would remove [1-9]\d* blobs/) });
  expect(listing(path.join(store, "blobs"))).toEqual(before);
  const real = await cli("store", "gc");
  expect(real).toMatchObject({ exit: 0, stdout: dry.stdout.replace("would remove", "removed") });
  expect(await cli("store", "verify")).toMatchObject({ exit: 0, stderr: "" });
  expect((await cli("build", "--json")).exit).toBe(0);
});

describe("the lock", () => {
  const PINNED =
    "name: p\nkernel: { from: debian, package: linux-image-cloud-amd64 }\ninitramfs: { init: busybox }\nimages: { p: { kind: cpio } }\n";

  test("--frozen does not make one; update --dry-run says what it would hold", async () => {
    const cwd = writeProject(PINNED);
    const frozen = await runCli(["build", "--frozen", "--json"], { cwd });
    expect(frozen.exit).toBe(2);
    expect(documentOf(frozen).error).toMatchObject({
      code: "LOCK_FROZEN",
      hint: expect.stringContaining("bootwright update"),
    });
    const dry = await runCli(["update", "--dry-run"], { cwd });
    expect(dry).toMatchObject({ exit: 10, stdout: expect.stringMatching(/^\+ .*busybox-static.*would be pinned to/m) });
    expect(fs.readdirSync(cwd)).toEqual(["bootwright.yaml"]);

    expect((await runCli(["update"], { cwd })).exit).toBe(0);
    const lock = fs.readFileSync(path.join(cwd, "bootwright.lock"), "utf8");
    expect(lock).toContain("busybox-static");
    const offline = await runCli(["build", "--frozen", "--offline", "--json"], { cwd, store: temporaryDir() });
    expect(offline.exit).toBe(5);
    expect(documentOf(offline).error).toMatchObject({ code: "OFFLINE" });
    expect(await runCli(["update", "busybox-statik"], { cwd })).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('did you mean "busybox-static"'),
    });
    expect(fs.readFileSync(path.join(cwd, "bootwright.lock"), "utf8")).toBe(lock);
  });

  test("--offline without a lock", async () => {
    const offline = await runCli(["build", "--offline", "--json"], { cwd: writeProject(PINNED) });
    expect(offline.exit).toBe(5);
    expect(documentOf(offline).error.code).toBe("OFFLINE");
  });
});

describe("a mistake is answered with what was probably meant", () => {
  test.each([
    [["biuld"], 'did you mean "build"'],
    [["build", "ukj"], 'did you mean "uki"'],
    [["build", "--fromzen"], "did you mean --frozen"],
    [["plan", "--graph=dott"], 'did you mean "dot"'],
    [["explain", "ukii"], 'did you mean "uki'],
    [["boot", "ukji"], 'did you mean "uki"'],
    [["build", "--jobs", "many"], "a whole number"],
    [["store", "clean"], "ls, verify, gc"],
  ])("%j", async (args, answer) => {
    const result = await cli(...args);
    expect(result).toMatchObject({ exit: 2, stdout: "" });
    expect(result.stderr).toContain(answer);
  });

  test("in the config: every mistake at once, each with its line, column and a frame", async () => {
    const cwd = writeProject("name: x\nkernell: { from: file, image: ./k }\nimages:\n  x: { kind: uky }\n");
    const result = await runCli(["build"], { cwd, store });
    expect(result.exit).toBe(2);
    expect(result.stderr).toContain("bootwright.yaml:2:1");
    expect(result.stderr).toMatch(/did you mean "kernels?"/);
    expect(result.stderr).toMatch(/bootwright\.yaml:4:\d+/);
    expect(result.stderr).toMatch(/> 2 │ kernell: .*\n +│ \^{7}/);
  });

  test("in the YAML itself", async () => {
    const result = await runCli(["build"], { cwd: writeProject("name: x\nimages: [\n"), store });
    expect(result.exit).toBe(2);
    expect(result.stderr).toMatch(/bootwright\.yaml:\d+:\d+/);
  });
});

describe("an end from outside", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s: exit code %i, no process and no temporary file is left", async (signal, exit) => {
    // A sandboxed xz at its slowest is what runs when the signal comes.
    const cwd = writeProject(`
name: slow
initramfs: { init: busybox, compress: { kind: xz, level: 9 }, from: [{ dir: ./large }] }
images: { slow: { kind: cpio } }
`);
    fs.mkdirSync(path.join(cwd, "large"));
    fs.writeFileSync(
      path.join(cwd, "large/noise"),
      Buffer.from(Array.from({ length: 6_000_000 }, (_, i) => (i * i) % 251)),
    );
    const { child, result } = startCli(["build", "--progress=plain", "--debug"], { cwd, group: true });
    let shown = "";
    child.stderr!.on("data", (text: string) => {
      shown += text;
    });
    await expect.poll(() => /bwrap|unshare/.test(shown), { timeout: 60_000 }).toBe(true);
    const own = processesBelow(child.pid!);
    expect(own.length).toBeGreaterThan(0);
    process.kill(child.pid!, signal);
    expect(await result).toMatchObject({ exit, stderr: expect.stringContaining("INTERRUPTED") });
    await expect.poll(() => own.filter((pid) => fs.existsSync(`/proc/${pid}`)), { timeout: 5000 }).toEqual([]);
    const { leftovers } = documentOf(await runCli(["store", "ls", "--json"], { cwd }));
    expect(leftovers).toBe(0);
    expect(fs.existsSync(path.join(cwd, "out"))).toBe(false);
  });

  test("a reader that stops reading is no error", async () => {
    const script = '"$0" "$1" inspect tree:initramfs-default | head -n 1; echo $PIPESTATUS';
    const { stdout, stderr } = await runCli([], {
      ...{ cwd: dir, store },
      wrapper: ["bash", "-c", `${script} #`],
    });
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^tree {2}.*\n0\n$/);
  });
});

test("works where Node compiles nothing", async () => {
  const result = await runCli(["build"], { cwd: dir, store, env: { NODE_OPTIONS: "--jitless" } });
  expect(result).toMatchObject({ exit: 0, stderr: expect.stringContaining(" 0 stages ran") });
});
