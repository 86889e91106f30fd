/** Every example builds, and its boot tests pass (design §1: an example is real). */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir } from "../support/test-session.ts";
import { elementsOf } from "../support/xml.ts";

const EXAMPLES = path.join(import.meta.dirname, "../../examples");

/** What a user makes before the first build, and what the tests choose. */
const PREPARED: Readonly<Record<string, (dir: string) => Promise<Record<string, string>>>> = {
  initos: async (dir) => {
    expect(await runCli(["keys", "init"], { cwd: dir })).toMatchObject({ exit: 0 });
    return {};
  },
  "debian-server": async (dir) => {
    const key = ["-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", path.join(dir, "admin")];
    execFileSync(needProgram("ssh-keygen", "openssh-client"), key);
    return { SSH_PORT: String(await freePort()), SSH_PORT_LIVE: String(await freePort()) };
  },
};

test.each(fs.readdirSync(EXAMPLES))("%s", { timeout: 3_600_000 }, async (name) => {
  const dir = path.join(temporaryDir(), name);
  const leftOut = new Set(["keys", "out", "bootwright.lock", "test-results", "admin", "admin.pub"]);
  fs.cpSync(path.join(EXAMPLES, name), dir, { recursive: true, filter: (file) => !leftOut.has(path.basename(file)) });
  const env = (await PREPARED[name]?.(dir)) ?? {};
  const built = await runCli(["build"], { cwd: dir, env });
  expect(built.exit, built.stderr).toBe(0);
  const tested = await runCli(["test", "--reporter", "junit"], { cwd: dir, env });
  expect(tested.exit, tested.stdout + tested.stderr).toBe(0);
  expect(tested.stdout).toMatch(/^✓ /m);
  const elements = elementsOf(fs.readFileSync(path.join(dir, "test-results/junit.xml"), "utf8"));
  expect(elements.filter((element) => element === "testcase")).toHaveLength(tested.stdout.match(/^✓ /gm)!.length);
  expect(elements).not.toContain("failure");
});

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
