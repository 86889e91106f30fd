/** Every example builds, and its boot tests pass (design §1: an example is real). */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { type CliOptions, type CliResult, runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir } from "../support/test-session.ts";
import { withoutCcache } from "../support/truthdb-project.ts";
import { elementsOf } from "../support/xml.ts";

const EXAMPLES = path.join(import.meta.dirname, "../../examples");

/** What a user makes before the first build, and what the tests choose. */
const PREPARED: Readonly<Record<string, (dir: string) => Promise<Record<string, string>>>> = {
  initos: async (dir) => {
    expect(await runCli(["keys", "init"], { cwd: dir })).toMatchObject({ exit: 0 });
    return {};
  },
  "generic-kernel": async (dir) => {
    expect(await runCli(["keys", "init"], { cwd: dir })).toMatchObject({ exit: 0 });
    return { BOOTWRIGHT_DATA: path.join(dir, "data") };
  },
  "debian-server": async (dir) => {
    const key = ["-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", path.join(dir, "admin")];
    execFileSync(needProgram("ssh-keygen", "openssh-client"), key);
    return { SSH_PORT: String(await freePort()), SSH_PORT_LIVE: String(await freePort()) };
  },
};

/** What an example's user does next. */
const AFTERWARDS: Readonly<Record<string, (dir: string, env: Record<string, string>) => Promise<void>>> = {
  "generic-kernel": async (dir, env) => {
    const ok = async (options: CliOptions, ...words: string[]): Promise<CliResult> => {
      const result = await runCli(words, options);
      expect(result.exit, result.stderr).toBe(0);
      return result;
    };
    expect((await ok({ cwd: dir, env }, "kernel", "publish")).stdout).toMatch(
      /^published generic-6\.12 6\.12\.\d+-generic \(x86_64\)/,
    );
    const guest = { cwd: path.join(dir, "guest"), env: { BOOTWRIGHT_DATA: env.BOOTWRIGHT_DATA! } };
    await ok(guest, "kernel", "pull", "generic-6.12");
    const shown = (await ok(guest, "kernel", "show", "generic-6.12")).stdout;
    expect([...shown.matchAll(/^file +(\S+)/gm)].map(([, file]) => file)).toEqual([
      "System.map",
      "bzImage",
      "config",
      "vmlinux",
    ]);
    for (const feature of ["9P_FS", "EXT4_FS", "PVH", "VIRTIO_BLK", "VIRTIO_MMIO", "VIRTIO_VSOCKETS"])
      expect(shown).toMatch(new RegExp(`^features .*\\b${feature}\\b`, "m"));
    await buildAndTest(guest.cwd, guest.env);
  },
};

/** Those that compile a kernel of their own, but for the one that other tests need anyway: ten minutes on two processors. */
const ON_REQUEST = new Set(process.env.BOOTWRIGHT_TEST_FULL ? [] : ["generic-kernel"]);

test.each(fs.readdirSync(EXAMPLES).filter((name) => !ON_REQUEST.has(name)))(
  "%s",
  { timeout: 3_600_000 },
  async (name) => {
    const dir = path.join(temporaryDir(), name);
    const leftOut = new Set(["keys", "catalog", "out", "bootwright.lock", "test-results", "admin", "admin.pub"]);
    fs.cpSync(path.join(EXAMPLES, name), dir, { recursive: true, filter: (file) => !leftOut.has(path.basename(file)) });
    const config = path.join(dir, "bootwright.config.ts");
    fs.writeFileSync(config, withoutCcache(fs.readFileSync(config, "utf8")));
    const env = (await PREPARED[name]?.(dir)) ?? {};
    await buildAndTest(dir, env);
    await AFTERWARDS[name]?.(dir, env);
  },
);

async function buildAndTest(dir: string, env: Record<string, string>): Promise<void> {
  const built = await runCli(["build"], { cwd: dir, env });
  expect(built.exit, built.stderr).toBe(0);
  const tested = await runCli(["test", "--reporter", "junit"], { cwd: dir, env });
  expect(tested.exit, tested.stdout + tested.stderr).toBe(0);
  expect(tested.stdout).toMatch(/^✓ /m);
  const elements = elementsOf(fs.readFileSync(path.join(dir, "test-results/junit.xml"), "utf8"));
  expect(elements.filter((element) => element === "testcase")).toHaveLength(tested.stdout.match(/^✓ /gm)!.length);
  expect(elements).not.toContain("failure");
}

/** Free now, and so most likely in a minute. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
