/**
 * Starts a machine. Reads as the list of what happens: scratch directory, firmware, disks, sockets, process, monitor,
 * power.
 */
import { truncateSync, writeFileSync } from "node:fs";
import { systemClock } from "../base/clock.ts";
import { BootwrightError, ioError } from "../base/errors.ts";
import { silent } from "../base/events.ts";
import { chooseAccelerator } from "./accelerator.ts";
import { type Channels, listenForChannels } from "./channels.ts";
import { prepareFirmware } from "./firmware.ts";
import type { Machine } from "./machine.ts";
import { QemuMachine } from "./qemu.ts";
import { qemuArgs, scratchDiskPath } from "./qemu-args.ts";
import { type QemuProcess, startQemu } from "./qemu-process.ts";
import { makeScratch } from "./scratch.ts";
import type { Accelerator, MachineOptions, MachineSpec } from "./spec.ts";
import { hostTscKhz } from "./tsc.ts";

/**
 * Starts a machine and returns once it has power; `ready` tells the rest. Throws HOST_TOOL_MISSING, MACHINE_FAILED when
 * QEMU does not start, an I/O error, or the signal's reason.
 */
export async function startMachine(spec: MachineSpec, options: MachineOptions = {}): Promise<Machine> {
  const emit = options.emit ?? silent;
  options.signal?.throwIfAborted();
  const accelerator = await resolveAccelerator(spec, options);
  const scratch = makeScratch(options.scratchRoot);
  let channels: Channels | undefined;
  let qemu: QemuProcess | undefined;
  try {
    const arch = spec.arch ?? "x86_64";
    const firmware = spec.boot.kind === "uefi" ? prepareFirmware(arch, spec.boot, scratch.dir) : undefined;
    makeScratchDisks(spec, scratch.dir);
    channels = await listenForChannels(scratch.dir);
    const context = {
      ...{ scratch: scratch.dir, accelerator: accelerator.name, tscKhz: hostTscKhz() },
      ...(firmware && { firmware }),
    };
    qemu = startQemu(arch, qemuArgs(spec, context), emit);
    const connections = await Promise.race([channels.connected, diedAtStart(spec, qemu)]);
    const machine = new QemuMachine({ spec, options, emit, accelerator, scratch, channels, qemu, connections });
    // A QEMU that ends now also hangs up its monitor: its own last words say more, so they get the time to win.
    const power = machine.powerOn().catch(async (error) => {
      await systemClock.sleep(500);
      throw error;
    });
    await Promise.race([power, diedAtStart(spec, qemu)]);
    return machine;
  } catch (error) {
    await qemu?.kill();
    channels?.close();
    scratch.remove();
    throw error;
  }
}

async function resolveAccelerator(spec: MachineSpec, options: MachineOptions): Promise<Accelerator> {
  const { accelerator = {} } = options;
  if ("name" in accelerator) return accelerator;
  const arch = spec.arch ?? "x86_64";
  return chooseAccelerator({ arch, cacheFile: accelerator.cacheFile, scratchRoot: options.scratchRoot });
}

function makeScratchDisks(spec: MachineSpec, scratch: string): void {
  for (const [index, disk] of (spec.disks ?? []).entries()) {
    if (!("size" in disk)) continue;
    const file = scratchDiskPath(scratch, index);
    try {
      writeFileSync(file, "");
      truncateSync(file, disk.size); // Sparse: takes no space until written.
    } catch (error) {
      throw ioError("create", file, error);
    }
  }
}

/** Rejects when QEMU ends before it has connected: a wrong argument, a missing file. */
async function diedAtStart(spec: MachineSpec, qemu: QemuProcess): Promise<never> {
  const exit = await qemu.exited;
  const words = qemu.lastWords();
  throw new BootwrightError("MACHINE_FAILED", `QEMU could not start ${spec.name}`, {
    detail: words || `it ended with ${exit === null ? "a signal" : `exit code ${exit}`}`,
  });
}
