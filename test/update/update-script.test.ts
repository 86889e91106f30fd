/**
 * guest/update.sh on a machine made of files: what it writes to the firmware's variables, and what is left when it dies at
 * any moment. The same script runs in real machines in ab-update.test.ts.
 */
import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import { planGpt } from "../../src/formats/gpt.ts";
import { formatMinisignKey, minisignKeyOf, signMinisign } from "../../src/formats/minisign.ts";
import { seededUuid } from "../../src/formats/uuid.ts";
import { needProgram } from "../support/need-program.ts";
import { randomNumbers } from "../support/random.ts";
import { temporaryDir } from "../support/test-session.ts";

const SCRIPT = path.join(import.meta.dirname, "../../guest/update.sh");
const GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const MIB = 1024 * 1024;
const NAMES = ["esp-a", "esp-b", "host-a", "host-b"] as const;
const { privateKey: secret } = generateKeyPairSync("ed25519");
const IMAGES = { esp: Buffer.alloc(2 * MIB, "esp of release 2 "), host: Buffer.alloc(3 * MIB, "host of release 2 ") };

/** Every command is BusyBox's, as in the guest, but minisign, which is the host's. */
let bin = "";

beforeAll(() => {
  bin = temporaryDir();
  execFileSync(needProgram("busybox", "busybox-static"), ["--install", "-s", bin]);
  fs.rmSync(path.join(bin, "minisign"), { force: true });
  fs.symlinkSync(needProgram("minisign", "minisign"), path.join(bin, "minisign"));
});

class FakeMachine {
  readonly root = temporaryDir();

  constructor({ slot = "a", floor = 1, health = "" } = {}) {
    const id = (name: string) => seededUuid("machine", name);
    const gpt = planGpt(
      NAMES.map((name) => ({ type: id("type"), id: id(name), name, size: 4 * MIB })),
      { diskId: id("disk"), sectorSize: 512 },
    );
    const disk = Buffer.alloc(64 * 1024);
    for (const { offset, bytes } of gpt.head) disk.set(bytes, offset);
    this.write("dev/vda", disk);
    const devices = "sys/devices/vda";
    this.write(`${devices}/queue/logical_block_size`, "512\n");
    fs.mkdirSync(this.at("sys/class/block"), { recursive: true });
    for (const [i, { name, offset, size }] of gpt.partitions.entries()) {
      const dir = `${devices}/vda${i + 1}`;
      this.write(`${dir}/uevent`, `DEVNAME=vda${i + 1}\nPARTNAME=${name}\n`);
      this.write(`${dir}/partition`, `${i + 1}\n`);
      this.write(`${dir}/start`, `${offset / 512}\n`);
      this.write(`${dir}/size`, `${size / 512}\n`);
      fs.symlinkSync(`../../devices/vda/vda${i + 1}`, this.at(`sys/class/block/vda${i + 1}`));
      this.write(`dev/vda${i + 1}`, Buffer.alloc(size, 0xee));
    }
    const loader = Buffer.from(`${id(`esp-${slot}`).toUpperCase()}\0`, "utf16le");
    this.write(
      `sys/firmware/efi/efivars/LoaderDevicePartUUID-${LOADER}`,
      Buffer.concat([Buffer.from([6, 0, 0, 0]), loader]),
    );
    this.write(
      "usr/lib/bootwright/update.conf",
      `NAME='host'\nVERSION='1.0'\nRELEASE=1\nFLOOR=${floor}\nWATCHDOG=60\nBOOT_FILE=BOOTX64.EFI\nHEALTH='${health}'\n`,
    );
    this.write("usr/lib/bootwright/partuuid.sh", fs.readFileSync(path.join(path.dirname(SCRIPT), "partuuid.sh")));
    this.write("usr/lib/bootwright/update.pub", formatMinisignKey(minisignKeyOf(secret)));
  }

  at(name: string): string {
    return path.join(this.root, name);
  }

  write(name: string, content: string | Uint8Array): void {
    fs.mkdirSync(path.dirname(this.at(name)), { recursive: true });
    fs.writeFileSync(this.at(name), content);
  }

  start(...words: string[]) {
    return spawn(path.join(bin, "sh"), [SCRIPT, ...words], {
      env: { PATH: bin, TMPDIR: temporaryDir(), BOOTWRIGHT_UPDATE_ROOT: this.root },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
  }

  async run(...words: string[]): Promise<{ exit: number | null; text: string }> {
    const child = this.start(...words);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
    const exit = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { exit, text };
  }

  /** Without the attributes. */
  variable(name: string): Buffer | undefined {
    const file = this.at(`sys/firmware/efi/efivars/${name}-${GLOBAL}`);
    return fs.existsSync(file) ? fs.readFileSync(file).subarray(4) : undefined;
  }

  order(): readonly number[] {
    const bytes = this.variable("BootOrder") ?? Buffer.alloc(0);
    return Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(i * 2));
  }

  /** What an update's images make of slot b's partitions. */
  slotHolds(): Record<string, boolean> {
    const holds = (device: string, image: Buffer) =>
      fs.readFileSync(this.at(device)).subarray(0, image.length).equals(image);
    return { esp: holds("dev/vda2", IMAGES.esp), host: holds("dev/vda4", IMAGES.host) };
  }
}

function updateDir({
  release = 2,
  name = "host",
  signer = secret,
  images = IMAGES as Record<string, Buffer>,
} = {}): string {
  const dir = temporaryDir();
  const rows = Object.entries(images).map(([image, bytes]) => {
    fs.writeFileSync(path.join(dir, `${image}.img`), bytes);
    return `image ${image} ${bytes.length} ${digestOf(bytes).hash} ${image}.img\n`;
  });
  const manifest = `bootwright-update 1\nname ${name}\nversion ${release}.0\nrelease ${release}\n${rows.join("")}`;
  fs.writeFileSync(path.join(dir, "update"), manifest);
  const signature = signMinisign(Buffer.from(manifest), { secret: signer, untrusted: "test", trusted: "test" });
  fs.writeFileSync(path.join(dir, "update.minisig"), signature);
  return dir;
}

describe("apply", () => {
  test("fills slot b and asks the firmware for one try; the order stays", async () => {
    const machine = new FakeMachine();
    const { exit, text } = await machine.run("apply", updateDir());
    expect(exit, text).toBe(0);
    expect(machine.slotHolds()).toEqual({ esp: true, host: true });
    expect(machine.variable("BootNext")).toEqual(Buffer.from([0xb1, 0]));
    expect(machine.order()).toEqual([0xb0, 0xb1]);
  });

  test("makes boot entries that name partition and file (UEFI 2.10 §3.1.3, §10.3.5)", async () => {
    const machine = new FakeMachine();
    await machine.run("apply", updateDir());
    const option = machine.variable("Boot00B1")!;
    expect(option.readUInt32LE(0)).toBe(1);
    const pathLength = option.readUInt16LE(4);
    const description = option.subarray(6, option.indexOf(Buffer.from([0, 0, 0, 0])) + 1);
    expect(description.toString("utf16le")).toMatch(/^host b/);
    const device = option.subarray(option.length - pathLength);
    expect([device[0], device[1], device.readUInt16LE(2), device.readUInt32LE(4)]).toEqual([4, 1, 42, 2]);
    expect(Number(device.readBigUInt64LE(8))).toBe((5 * MIB) / 512);
    expect(Number(device.readBigUInt64LE(16))).toBe((4 * MIB) / 512);
    expect(device.subarray(-4)).toEqual(Buffer.from([0x7f, 0xff, 4, 0]));
    expect(device.subarray(46, -6).toString("utf16le")).toBe("\\EFI\\BOOT\\BOOTX64.EFI");
  });

  test.each([
    ["an older release", () => updateDir({ release: 0 }), /refused: the update is release 0, older than 1/],
    ["another product", () => updateDir({ name: "other" }), /the update is for other, this is host/],
    ["a stranger's signature", () => updateDir({ signer: generateKeyPairSync("ed25519").privateKey }), /not signed/],
    ["a directory without an update", () => temporaryDir(), /holds no update/],
    [
      "an image that is too large",
      () => updateDir({ images: { ...IMAGES, host: Buffer.alloc(5 * MIB) } }),
      /needs 5242880 bytes/,
    ],
  ])("refuses %s", async (_, source, message) => {
    const machine = new FakeMachine();
    const { exit, text } = await machine.run("apply", source());
    expect(exit).toBe(1);
    expect(text).toMatch(message);
    expect(machine.variable("BootNext")).toBeUndefined();
  });

  test("refuses an image that is not the one of the manifest, and does not start the slot", async () => {
    const dir = updateDir();
    fs.writeFileSync(path.join(dir, "host.img"), Buffer.alloc(3 * MIB, "evil"));
    const machine = new FakeMachine();
    const { exit, text } = await machine.run("apply", dir);
    expect(exit).toBe(1);
    expect(text).toMatch(/host-b does not hold what was written to it/);
    expect(machine.variable("BootNext")).toBeUndefined();
    expect(machine.slotHolds().esp).toBe(false);
  });

  test("killed at any moment: the firmware tries slot b only when all of it is there", {
    timeout: 240_000,
  }, async () => {
    const random = randomNumbers();
    const dir = updateDir();
    const began = Date.now();
    await new FakeMachine().run("apply", dir);
    const whole = Date.now() - began;
    let tried = 0;
    for (let round = 0; round < 40; round++) {
      const machine = new FakeMachine();
      const child = machine.start("apply", dir);
      const gone = new Promise((resolve) => child.once("close", resolve));
      await sleep(random(whole * 1.3));
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {} // It was quicker.
      await gone;
      if (machine.variable("BootNext") !== undefined) {
        tried++;
        expect(machine.slotHolds()).toEqual({ esp: true, host: true });
      }
      expect(machine.order()[0] ?? 0xb0).toBe(0xb0);
      expect(fs.readFileSync(machine.at("dev/vda1")).every((byte) => byte === 0xee)).toBe(true);
      expect(fs.readFileSync(machine.at("dev/vda3")).every((byte) => byte === 0xee)).toBe(true);
    }
    expect(tried).toBeLessThan(40);
    // And what was left half done is taken again.
    const machine = new FakeMachine();
    machine.write("dev/vda2", Buffer.alloc(4 * MIB, 1));
    expect((await machine.run("apply", dir)).exit).toBe(0);
    expect(machine.slotHolds()).toEqual({ esp: true, host: true });
  });
});

describe("confirm", () => {
  const onTrial = async (health: string): Promise<FakeMachine> => {
    const machine = new FakeMachine({ health });
    await machine.run("apply", updateDir());
    const id = seededUuid("machine", "esp-b");
    const loader = Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from(`${id}\0`, "utf16le")]);
    machine.write(`sys/firmware/efi/efivars/LoaderDevicePartUUID-${LOADER}`, loader);
    return machine;
  };

  test("keeps a healthy slot", async () => {
    const machine = await onTrial("true\ntest -e /");
    const { exit, text } = await machine.run("confirm");
    expect(exit, text).toBe(0);
    expect(text).toMatch(/slot b is healthy and stays/);
    expect(machine.order()).toEqual([0xb1, 0xb0]);
  });

  test("goes back from one that is not, and says which check failed", async () => {
    const machine = await onTrial("true\nexit 3\ntrue");
    const { exit, text } = await machine.run("confirm");
    expect(exit).toBe(1);
    expect(text).toMatch(/not healthy: exit 3 ended with 3/);
    expect(machine.order()).toEqual([0xb0, 0xb1]);
  });

  test("a first start makes the entries, and leaves what else the firmware has", async () => {
    const machine = new FakeMachine();
    machine.write(`sys/firmware/efi/efivars/BootOrder-${GLOBAL}`, Buffer.from([7, 0, 0, 0, 1, 0, 2, 0]));
    const { exit, text } = await machine.run("confirm");
    expect(exit, text).toBe(0);
    expect(machine.order()).toEqual([0xb0, 0xb1, 1, 2]);
  });

  test("rollback makes the other slot the first choice", async () => {
    const machine = new FakeMachine();
    await machine.run("confirm");
    expect((await machine.run("rollback")).text).toMatch(/slot b is the first choice/);
    expect(machine.order()).toEqual([0xb1, 0xb0]);
  });
});
