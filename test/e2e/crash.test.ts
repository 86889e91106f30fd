/** Builds killed at random moments, two at a time on one store, leave a store that is whole (design §4). */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { documentOf, runCli, startCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { randomNumbers } from "../support/random.ts";
import { temporaryDir } from "../support/test-session.ts";

const KILLS = process.env.BOOTWRIGHT_TEST_FULL === "1" ? 200 : 20;

test(`${KILLS} builds killed: the store stays clean, out/ keeps the last good artifact, the digests stay`, {
  timeout: KILLS * 15_000,
}, async () => {
  const random = randomNumbers();
  const store = temporaryDir();
  const projects = [await localProject(), await localProject()];
  const build = (dir: string) => runCli(["build", "--json"], { cwd: dir, store });
  const digests = async (dir: string) =>
    documentOf(await build(dir)).images.map((image: { digest: string }) => image.digest);

  const began = Date.now();
  const good = await digests(projects[0]!);
  const wholeBuild = Date.now() - began;
  expect(await digests(projects[1]!)).toEqual(good);
  const outputs = outputsOf(projects[0]!);

  let killed = 0;
  for (let round = 0; killed < KILLS; round++) {
    // A build of everything, again and again: the store forgets, or another input asks for other bytes.
    if (round % 3 === 0) fs.rmSync(store, { recursive: true, force: true });
    const other = round % 2 === 0 ? `other ${round}\n` : "hello\n";
    fs.writeFileSync(path.join(projects[1]!, "motd"), other);
    const builds = projects.map((dir) => startCli(["build"], { cwd: dir, store, group: true }));
    await Promise.all(
      builds.map(async ({ child, result }) => {
        await sleep(random(wholeBuild * 1.2));
        killGroup(child.pid!);
        if ((await result).exit === null) killed++;
      }),
    );
    // The first project's inputs never change, so neither may what lies in its out/.
    expect(outputsOf(projects[0]!)).toEqual(outputs);
  }

  expect(await runCli(["store", "verify"], { cwd: projects[0]!, store })).toMatchObject({ exit: 0 });
  fs.writeFileSync(path.join(projects[1]!, "motd"), "hello\n");
  for (const dir of projects) {
    fs.rmSync(path.join(dir, "out/uki.efi"));
    expect(await digests(dir)).toEqual(good);
    expect(fs.readdirSync(path.join(dir, "out")).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
  }
  expect(await runCli(["store", "verify"], { cwd: projects[0]!, store })).toMatchObject({ exit: 0 });
  expect((await runCli(["store", "gc"], { cwd: projects[0]!, store })).exit).toBe(0);
  expect(fs.readdirSync(path.join(store, "tmp"))).toEqual([]);
  const after = documentOf(await runCli(["store", "ls", "--json"], { cwd: projects[0]!, store }));
  expect(after).toMatchObject({ leftovers: 0, running: 0 });
  for (const dir of projects) expect(await digests(dir)).toEqual(good);
});

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {} // It was quicker.
}

/** Digests of all that a user finds in out/. */
const outputsOf = (dir: string): string =>
  execFileSync("sha256sum", ["uki.efi", "esp.img", "direct/vmlinuz", "direct/initrd", "direct/cmdline"], {
    cwd: path.join(dir, "out"),
    encoding: "utf8",
  });
