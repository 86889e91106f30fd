/** Real machines: they take seconds each under software emulation, and run one at a time. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuildEvent } from "../../src/base/events.ts";
import { run } from "../../src/base/process.ts";
import { decodePng, type MachineOptions, type MachineSpec, startMachine } from "../../src/vm/index.ts";
import { type GuestFiles, guestFiles } from "../support/guest.ts";

let guest: GuestFiles;
let dir = "";

beforeAll(async () => {
  guest = await guestFiles();
  // A short name: unix sockets lie below it. The blank and the comma are there to be quoted wrongly.
  dir = mkdtempSync(path.join(tmpdir(), "bw ä,"));
}, 600_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const DIRECT_TIMEOUT = 60_000;

function boot(cmdline = "", { spec = {}, ...options }: { spec?: Partial<MachineSpec> } & MachineOptions = {}) {
  const { kernel, initrd } = guest;
  return startMachine(
    {
      name: "guest",
      boot: { kind: "direct", kernel, initrd, cmdline: `console=ttyS0 quiet ${cmdline}`.trim() },
      ...spec,
    },
    { scratchRoot: dir, accelerator: { cacheFile: path.join(dir, "accelerator.json") }, ...options },
  );
}

/** Nothing of a machine is left. */
function expectNoTrace(pid: number): void {
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(readdirSync(dir).filter((name) => name.startsWith("bootwright-vm-"))).toEqual([]);
}

describe("a machine", () => {
  test(
    "boots, runs commands through the agent and the console, shows its screen, powers off",
    async () => {
      const events: BuildEvent[] = [];
      await using machine = await boot("", { emit: (event) => events.push(event) });
      await machine.ready;
      expect(machine.bootedIn).toBeGreaterThan(0);
      expect(machine.phases.at(-1)?.phase).toBe("ready");
      expect(events.find((event) => event.type === "machine.start")).toMatchObject({
        accelerator: machine.accelerator.name,
      });

      expect(await machine.exec("uname; echo oops >&2; exit 3")).toEqual({
        ...{ exit: 3, stdout: "Linux\n", stderr: "oops\n", truncated: false },
      });
      const large = await machine.exec(
        "head -c 300000 /dev/zero | tr '\\0' x; echo; head -c 90000 /dev/zero | tr '\\0' y >&2",
      );
      expect([large.stdout.length, large.stderr.length]).toEqual([300_001, 90_000]);
      const both = await Promise.all([machine.exec("sleep 1; echo slow"), machine.exec("echo quick")]);
      expect(both.map(({ stdout }) => stdout)).toEqual(["slow\n", "quick\n"]);
      await expect(machine.exec("sleep 77", { timeout: 1000 })).rejects.toMatchObject({ code: "GUEST_EXEC_FAILED" });
      expect((await machine.exec("ps | grep '[s]leep 77'")).stdout).toBe("");

      expect(await machine.exec('echo "it\'s"; (exit 4)', { via: "console" })).toMatchObject({
        exit: 4,
        stdout: "it's\n",
      });

      const picture = decodePng(await machine.screen.still());
      expect(picture.width).toBeGreaterThan(600);
      expect(picture.rgba.some((value, i) => i % 4 !== 3 && value > 100)).toBe(true);

      const interrupted = machine.exec("sleep 60");
      machine.exec("poweroff -f").catch(() => {}); // Its own answer may be lost.
      expect((await machine.ended).reason).toBe("poweroff");
      await expect(interrupted).rejects.toMatchObject({ code: "GUEST_GONE" });
      expectNoTrace(machine.pid);
    },
    DIRECT_TIMEOUT,
  );

  test(
    "tells a reboot from a poweroff, and can be reset",
    async () => {
      await using machine = await boot();
      await machine.ready;
      const before = machine.console.position;
      await machine.reset();
      await machine.events.waitFor("ready", { where: () => machine.events.all.length >= 2 });
      expect(machine.console.since(before)).not.toBe("");
      machine.exec("reboot -f").catch(() => {});
      expect((await machine.ended).reason).toBe("reboot");
    },
    DIRECT_TIMEOUT,
  );

  test(
    "starts as a microVM, with a disk and a network",
    async () => {
      await using machine = await boot("", {
        spec: {
          boot: { kind: "direct", ...guest, cmdline: "console=ttyS0 quiet", machine: "microvm" },
          disks: [{ size: 1024 * 1024 }],
          network: { kind: "user" },
        },
      });
      await machine.ready;
      expect((await machine.exec("echo hi")).stdout).toBe("hi\n");
      await expect(machine.screen.png()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    },
    DIRECT_TIMEOUT,
  );

  test("boots one EFI file by UEFI, from a directory that it cannot change", async () => {
    const esp = path.join(dir, "e s,p");
    mkdirSync(path.join(esp, "EFI/BOOT"), { recursive: true });
    copyFileSync(guest.uki, path.join(esp, "EFI/BOOT/BOOTX64.EFI"));
    await using machine = await boot("", {
      spec: { boot: { kind: "uefi", medium: { kind: "directory", path: esp } } },
    });
    await machine.ready;
    expect(machine.phases.map(({ phase }) => phase)).toEqual(expect.arrayContaining(["firmware", "kernel", "ready"]));
    expect((await machine.exec("test -d /sys/firmware/efi && echo efi")).stdout).toBe("efi\n");
    expect(readdirSync(esp)).toEqual(["EFI"]);
  }, 180_000);
});

describe("a machine that does not get ready", () => {
  test(
    "without an init: the panic, with its cause",
    async () => {
      await using machine = await boot("rdinit=/not-there");
      await expect(machine.ready).rejects.toMatchObject({
        code: "GUEST_PANIC",
        message: expect.stringContaining("the kernel found neither an initramfs with /init nor a root file system"),
        detail: expect.stringContaining("Kernel panic"),
      });
    },
    DIRECT_TIMEOUT,
  );

  test(
    "with panic=-1: the reboot counts as a panic",
    async () => {
      await using machine = await boot("rdinit=/not-there panic=-1");
      await expect(machine.ready).rejects.toMatchObject({ code: "GUEST_PANIC" });
      expect((await machine.ended).reason).toBe("panic");
    },
    DIRECT_TIMEOUT,
  );

  test(
    "with a damaged initramfs",
    async () => {
      const initrd = path.join(dir, "damaged");
      writeFileSync(initrd, "this is no archive\n".repeat(100));
      await using machine = await boot("", {
        spec: { boot: { kind: "direct", kernel: guest.kernel, initrd, cmdline: "console=ttyS0" } },
      });
      await expect(machine.ready).rejects.toMatchObject({
        message: expect.stringContaining("the kernel could not unpack the initramfs"),
      });
    },
    DIRECT_TIMEOUT,
  );

  test(
    "hung: said after its phase's silence, not after one big timeout",
    async () => {
      await using machine = await boot("", { spec: { ready: /never said/ }, idle: { kernel: 20_000, init: 2_000 } });
      await expect(machine.ready).rejects.toMatchObject({
        code: "GUEST_NOT_READY",
        message: expect.stringMatching(/said nothing for \d+ s in phase "(kernel|init)"/),
      });
    },
    DIRECT_TIMEOUT,
  );

  test("with nothing to boot: the firmware's word", async () => {
    const esp = path.join(dir, "empty");
    mkdirSync(esp);
    await using machine = await boot("", {
      spec: { boot: { kind: "uefi", medium: { kind: "directory", path: esp } } },
    });
    await expect(machine.ready).rejects.toMatchObject({
      message: expect.stringContaining("the firmware found nothing to boot"),
    });
  }, 180_000);

  test("with an argument that QEMU does not know: QEMU's own words", async () => {
    await expect(boot("", { spec: { extraArgs: ["-bogus"] } })).rejects.toMatchObject({
      code: "MACHINE_FAILED",
      detail: expect.stringContaining("-bogus: invalid option"),
    });
  });
});

describe("a machine does not outlive", () => {
  test(
    "its signal",
    async () => {
      const controller = new AbortController();
      const machine = await boot("", { signal: controller.signal });
      controller.abort();
      expect((await machine.ended).reason).toBe("stopped");
      await expect(machine.ready).rejects.toMatchObject({ code: "GUEST_NOT_READY" });
      expectNoTrace(machine.pid);
    },
    DIRECT_TIMEOUT,
  );

  test.each(["process.exit(3)", 'process.kill(process.pid, "SIGKILL")'])(
    "its process: %s",
    async (last) => {
      const vm = path.join(import.meta.dirname, "../../src/vm/index.ts");
      const { kernel, initrd } = guest;
      const spec: MachineSpec = { name: "m", boot: { kind: "direct", kernel, initrd, cmdline: "quiet" } };
      const script = `import { writeSync } from "node:fs";
      import { startMachine } from ${JSON.stringify(vm)};
      const accelerator = { name: "tcg", why: "test" };
      const machine = await startMachine(${JSON.stringify(spec)}, { scratchRoot: ${JSON.stringify(dir)}, accelerator });
      writeSync(1, String(machine.pid));
      ${last};`;
      // The wrapper's own exit code: a killed process is 137 to the shell.
      const argv = ["sh", "-c", '"$0" --input-type=module -e "$1"; true', process.execPath, script];
      const { stdout } = await run(argv);
      const pid = Number(stdout.toString());
      expect(pid).toBeGreaterThan(1);
      await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 5000 }).toBe(false);
      // What SIGKILL left is swept by the next machine.
      await (await boot()).stop();
      expectNoTrace(pid);
    },
    DIRECT_TIMEOUT,
  );
});
