import fs from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { busyboxRoot } from "../../test/support/busybox-root.ts";
import { needProgram } from "../../test/support/need-program.ts";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { systemClock } from "../base/clock.ts";
import { silent } from "../base/events.ts";
import { materializedRoot } from "../store/materialize.ts";
import { runInSandbox, sandboxKind } from "./sandbox.ts";

const never = new AbortController().signal;

function sandbox() {
  const store = tempStore();
  const root = materializedRoot(store, busyboxRoot(store));
  const build = tempDir();
  const run = (
    argv: readonly string[],
    more: { env?: Record<string, string>; mounts?: boolean; signal?: AbortSignal } = {},
  ) => runInSandbox({ root, build, argv, env: {}, signal: never, emit: silent, ...more });
  const text = async (...argv: string[]) => (await run(argv)).stdout.toString();
  return { root, build, run, text };
}

it("prefers bubblewrap", () => {
  needProgram("bwrap", "bubblewrap");
  expect(sandboxKind()).toBe("bwrap");
});

describe.each([
  ["bwrap", "bubblewrap"],
  ["unshare", "util-linux"],
])("a program in the %s sandbox", (kind, debianPackage) => {
  beforeEach(() => {
    needProgram(kind, debianPackage);
    vi.stubEnv("BOOTWRIGHT_SANDBOX", kind);
    vi.stubEnv("HOST_SECRET", "seen");
    return () => vi.unstubAllEnvs();
  });

  it("runs as root in /build, under a fixed name", async () => {
    const { text } = sandbox();
    expect(await text("sh", "-c", "id -u; id -g; pwd; hostname")).toBe("0\n0\n/build\nbootwright\n");
  });

  it("has exactly the environment that it is given", async () => {
    const { run } = sandbox();
    const { stdout } = await run(["cat", "/proc/self/environ"], { env: { GIVEN: "a b", TZ: "Europe/Rome" } });
    expect(stdout.toString().split("\0").slice(0, -1).sort()).toEqual([
      "GIVEN=a b",
      "HOME=/build",
      "LANG=C.UTF-8",
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      "PWD=/build",
      "TZ=Europe/Rome",
    ]);
  });

  it("sees what it is shown of the host at the same place, and cannot change it", async () => {
    const { root, build } = sandbox();
    fs.mkdirSync(path.join(root, "usr/share"), { recursive: true });
    const hostPaths = ["/usr/share"];
    const run = (...argv: string[]) =>
      runInSandbox({ root, build, argv, env: {}, hostPaths, signal: never, emit: silent });
    const listed = (await run("ls", "/usr/share")).stdout.toString().trim().split("\n");
    expect(listed).toEqual(fs.readdirSync("/usr/share").sort());
    await expect(run("touch", "/usr/share/bootwright-was-here")).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
    expect(fs.existsSync("/usr/share/bootwright-was-here")).toBe(false);
  });

  it("mounts and changes its root when it may, and reaches no more of the host by it", async () => {
    const { run, root } = sandbox();
    const script = [
      "mkdir /tmp/new && mount -t tmpfs new /tmp/new && mkdir /tmp/new/bin && cp /bin/busybox /tmp/new/bin",
      "chroot /tmp/new /bin/busybox ls /",
      "touch /bin/new 2>/dev/null || echo read-only",
    ];
    const { stdout } = await run(["sh", "-ec", script.join("\n")], { mounts: true });
    expect(stdout.toString()).toBe("bin\nread-only\n");
    expect(fs.existsSync(path.join(root, "bin/new"))).toBe(false);
  });

  it("keeps what it writes into a cache, and nothing else that lies in memory", async () => {
    const { build, root } = sandbox();
    const cache = tempDir();
    for (const name of ["caches/c", "m"]) fs.mkdirSync(path.join(build, name), { recursive: true });
    const argv = [
      "sh",
      "-c",
      "cat caches/c/*; echo now >caches/c/file; echo gone >m/file; cat m/file; df m | tail -n1",
    ];
    const run = () =>
      runInSandbox({ root, build, argv, env: {}, caches: { c: cache }, inMemory: "m", signal: never, emit: silent });
    fs.writeFileSync(path.join(cache, "file"), "before\n");
    expect((await run()).stdout.toString()).toMatch(/^before\ngone\ntmpfs /);
    expect((await run()).stdout.toString()).toMatch(/^now\n/);
    expect(fs.readdirSync(path.join(build, "m"))).toEqual([]);
  });

  it("sees no file of the host", async () => {
    const { text, root } = sandbox();
    expect((await text("ls", "/")).trim().split("\n")).toEqual(["bin", "build", "dev", "proc", "tmp"]);
    expect(await text("sh", "-c", `test -e "${root}" || echo gone`)).toBe("gone\n");
    expect(await text("ls", "/tmp")).toBe("");
  });

  it("has no network, not even the host's loopback", async () => {
    const { text } = sandbox();
    const links = (await text("ip", "-o", "link")).trim().split("\n");
    expect(links).toHaveLength(1);
    expect(links[0]).toMatch(/^1: lo: /);
    expect(await text("cat", "/proc/net/route")).toMatch(/^(Iface[^\n]*\n)?$/);
  });

  it("cannot change its root, and can write /build, /tmp and /dev/null", async () => {
    const { run, build, root } = sandbox();
    await expect(run(["touch", "/bin/new"])).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
    expect(fs.existsSync(path.join(root, "bin/new"))).toBe(false);
    await run(["sh", "-c", "echo kept >file; echo gone >/tmp/file; echo gone >/dev/null"]);
    expect(fs.readFileSync(path.join(build, "file"), "utf8")).toBe("kept\n");
    expect(fs.readdirSync(path.join(root, "tmp"))).toEqual([]);
  });

  it("sees no process of the host", async () => {
    const { text } = sandbox();
    const pids = (await text("sh", "-c", "ls /proc")).split("\n").filter((name) => /^\d+$/.test(name));
    expect(pids.length).toBeLessThanOrEqual(3);
  });

  it("fails with its exit code and its last lines", async () => {
    const { run } = sandbox();
    const error = await run(["sh", "-c", "echo one >&2; echo two >&2; exit 3"]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "PROGRAM_FAILED",
      exit: 8,
      message: "sh ended with exit code 3 in the sandbox",
    });
    expect(error).toHaveProperty("detail", "command: sh -c echo one >&2; echo two >&2; exit 3\none\ntwo");
  });

  it("that is not in the toolroot is the program's failure, not the sandbox's", async () => {
    const { run } = sandbox();
    const error = await run(["no-such-program"]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "PROGRAM_FAILED" });
    expect(error).toHaveProperty("detail", expect.stringContaining("no-such-program"));
  });

  it.each(["bwrap: Creating new namespace failed", "unshare: unshare failed: Operation not permitted"])(
    "that writes %j has failed itself",
    async (line) => {
      const { run } = sandbox();
      await expect(run(["sh", "-c", `echo "${line}" >&2; exit 1`])).rejects.toMatchObject({
        code: "PROGRAM_FAILED",
        detail: expect.stringContaining(line),
      });
    },
  );

  it("whose root lacks the mount points has not started: that is the sandbox's failure", async () => {
    const [root, build] = [tempDir(), tempDir()];
    await expect(
      runInSandbox({ root, build, argv: ["true"], env: {}, signal: never, emit: silent }),
    ).rejects.toMatchObject({ code: "SANDBOX_UNAVAILABLE", exit: 4 });
  });

  it("has no file of ours open, and finds nothing new in /build", async () => {
    const { text, build } = sandbox();
    expect(await text("ls", "-a", "/build")).toBe(".\n..\n");
    expect(await text("sh", "-c", "echo >&3").catch((error: unknown) => error)).toMatchObject({
      code: "PROGRAM_FAILED",
    });
    expect(fs.existsSync(`${build}.status`)).toBe(false);
  });

  it("ends with all that it has started when it is cancelled", async () => {
    const { run, build } = sandbox();
    const stop = new AbortController();
    // The number of seconds marks the processes as this test's.
    const seconds = `4${process.pid}`;
    const running = run(["sh", "-c", `sleep ${seconds} & echo $! >started; sleep ${seconds}`], { signal: stop.signal });
    running.catch(() => {});
    while (!fs.existsSync(path.join(build, "started"))) await systemClock.sleep(10);
    expect(sleepers(seconds)).not.toEqual([]);
    stop.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    for (let i = 0; i < 100 && sleepers(seconds).length > 0; i++) await systemClock.sleep(10);
    expect(sleepers(seconds)).toEqual([]);
  }, 20_000);
});

const sleepers = (seconds: string): string[] =>
  fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith(`sleep\0${seconds}\0`);
      } catch {
        return false;
      }
    });
