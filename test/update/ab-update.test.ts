/**
 * Two slots, in a machine with a firmware and a disk of its own: whatever an update turns out to be, the machine ends in a
 * system that runs. The example of the same name is what is updated; its profiles are the releases.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../src/vm/index.ts";
import { bootFiles } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir } from "../support/test-session.ts";

const EXAMPLE = path.join(import.meta.dirname, "../../examples/initos");
const RELEASES = ["next", "hangs", "panics", "unhealthy", "older", "firmware"] as const;

let disk = "";
let updates = "";
const manifests = { now: "", firmware: "" };

beforeAll(async () => {
  const dir = path.join(temporaryDir(), "initos");
  const made = new Set(["keys", "out", "bootwright.lock", "test-results"]);
  fs.cpSync(EXAMPLE, dir, { recursive: true, filter: (file) => !made.has(path.basename(file)) });
  const run = async (...words: string[]) => {
    const { exit, stderr } = await runCli(words, { cwd: dir });
    expect(exit, stderr).toBe(0);
  };
  await run("keys", "init");
  await run("build", "disk");
  disk = fs.realpathSync(path.join(dir, "out/disk.img"));
  const all = path.join(temporaryDir(), "updates");
  await run("build", "update");
  manifests.now = fs.readFileSync(path.join(dir, "out/update/update"), "utf8");
  for (const name of RELEASES) {
    await run("build", "update", "--profile", name);
    fs.cpSync(path.join(dir, "out/update"), path.join(all, name), { recursive: true, dereference: true });
  }
  manifests.firmware = fs.readFileSync(path.join(all, "firmware/update"), "utf8");
  const bad = path.join(all, "unsigned");
  fs.cpSync(path.join(all, "next"), bad, { recursive: true });
  fs.writeFileSync(
    path.join(bad, "update"),
    fs.readFileSync(path.join(bad, "update"), "utf8").replace("release 2", "release 9"),
  );
  updates = path.join(temporaryDir(), "updates.squashfs");
  execFileSync(needProgram("mksquashfs", "squashfs-tools"), [
    all,
    updates,
    "-comp",
    "zstd",
    "-Xcompression-level",
    "1",
    "-quiet",
    "-no-progress",
  ]);
}, 1_200_000);

test("an update of the firmware leaves root and modules as they are", () => {
  const rows = (manifest: string) => manifest.split("\n").filter((line) => line.startsWith("image "));
  const changed = rows(manifests.firmware).filter((row) => !rows(manifests.now).includes(row));
  expect(changed.map((row) => row.split(" ")[1])).toEqual(["esp", "firmware"]);
});

interface Host {
  readonly machine: Machine;
  /** Waits for text behind what was seen last. */
  sees(pattern: RegExp): Promise<void>;
  /** Types a line when the shell reads: what is typed before that is lost. */
  types(line: string): Promise<void>;
}

const LIMIT = 200_000;

async function start(own: { disk: string; variables: string }): Promise<Host & AsyncDisposable> {
  const machine = await bootFiles(
    { kind: "uefi", medium: { kind: "disk", path: own.disk }, variables: own.variables },
    {
      ...{ onReboot: "restart", memory: 768 * 1024 ** 2, ready: /initos# / },
      disks: [{ path: updates, readonly: true }],
    },
  );
  machine.ready.catch(() => {}); // A slot that panics counts as a failure there; here it is the point.
  let seen = 0;
  const unseen = () => machine.console.since(0).slice(seen);
  return {
    machine,
    async sees(pattern) {
      for (let waited = 0; waited < LIMIT; waited += 250) {
        const found = pattern.exec(unseen());
        if (found) {
          seen += found.index + found[0].length;
          return;
        }
        await sleep(250);
      }
      throw new Error(`waited in vain for ${pattern}:\n${machine.console.lastLines(40)}`);
    },
    async types(line) {
      for (let waited = 0; waited < LIMIT && !/initos# /.test(unseen()); waited += 2000) {
        machine.console.write("\n");
        await sleep(2000);
      }
      machine.console.write(`${line}\n`);
    },
    [Symbol.asyncDispose]: async () => {
      await machine.stop();
    },
  };
}

const owned = () => {
  const dir = temporaryDir();
  const own = { disk: path.join(dir, "disk.img"), variables: path.join(dir, "vars.fd") };
  execFileSync("cp", ["--sparse=always", disk, own.disk]);
  fs.chmodSync(own.disk, 0o644);
  return own;
};

const mount = "mount -t squashfs -o ro /dev/vdb /mnt";
const apply = (release: string) => `bootwright-update apply /mnt/${release} && sync && reboot`;

test("healthy, hanging, panicking, unhealthy, damaged, unsigned and old releases: each time a system runs", async () => {
  await using host = await start(owned());
  await host.sees(/slot a runs: initos 1\.0, release 1/);

  await host.types(`${mount}; ${apply("next")}`);
  await host.sees(/the next start tries slot b, once/);
  await host.sees(/slot b is healthy and stays: initos 2\.0, release 2/);

  await host.types(`${mount}; ${apply("panics")}`);
  await host.sees(/the next start tries slot a, once/);
  await host.sees(/Kernel panic - not syncing: Attempted to kill init/);
  await host.sees(/slot b runs: initos 2\.0, release 2/);

  await host.types(`${mount}; ${apply("hangs")}`);
  await host.sees(/host on \S+ is opened by its root hash \(slot a\)/);
  await host.sees(/Initiating system reboot/);
  await host.sees(/slot b runs: initos 2\.0, release 2/);

  await host.types(`${mount}; ${apply("unhealthy")}`);
  await host.sees(/slot a is on trial/);
  await host.sees(/not healthy: \/usr\/sbin\/initos-health/);
  await host.sees(/slot b runs: initos 2\.0, release 2/);

  // One bit of the root, changed behind the update's back.
  const flip =
    'f=/dev/vda3; b=$(dd if=$f bs=1 skip=4242 count=1 2>/dev/null | od -An -tu1); printf "\\\\$(printf %03o $((b ^ 1)))" | dd of=$f bs=1 seek=4242 conv=notrunc,fsync 2>/dev/null';
  await host.types(`${mount}; bootwright-update apply /mnt/next && ${flip} && sync && reboot`);
  await host.sees(/device-mapper: verity: .* corrupted|is not what was signed|Kernel panic/);
  await host.sees(/slot b runs: initos 2\.0, release 2/);

  await host.types(`${mount}; bootwright-update apply /mnt/older`);
  await host.sees(/refused: the update is release 0, older than 1/);
  await host.types("bootwright-update apply /mnt/unsigned");
  await host.sees(/not signed by the key that this system trusts/);
  await host.types("bootwright-update status");
  await host.sees(/slot b is the first choice/);

  await host.types(apply("firmware"));
  await host.sees(/slot a is healthy and stays: initos 1\.0, release 1/);
  await host.types("ls /lib/firmware");
  await host.sees(/usbdux_firmware\.bin/);
}, 1_200_000);

const CUTS = process.env.BOOTWRIGHT_TEST_FULL === "1" ? 10 : 2;

test(`power lost at ${CUTS} moments of an update: the old system runs, and takes the update again`, async () => {
  const own = owned();
  for (let cut = 0; cut < CUTS; cut++) {
    await using host = await start(own);
    await host.sees(/slot a runs: initos 1\.0, release 1/);
    await host.types(`${mount}; ${apply("next").replace(" && sync && reboot", "")}`);
    // From the first write to the last: each cut comes a little later than the one before.
    await host.sees(/into slot b/);
    await sleep((cut * 6_000) / CUTS);
    await host.machine.stop();
  }
  await using host = await start(own);
  // A cut behind the last write is an update that is done: then the firmware tries it.
  await host.sees(/slot a runs: initos 1\.0, release 1|slot b is healthy and stays/);
  await host.types("bootwright-update status");
  await host.sees(/is the first choice/);
}, 1_800_000);
