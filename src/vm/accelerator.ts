/**
 * Hardware acceleration, proved: `/dev/kvm` can be there, openable, and useless (nested paravirtual KVM). So a guest of a
 * few instructions is run once; the answer is remembered for this boot of the host and this QEMU.
 */
import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { isBootwrightError, messageOf, systemCode } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { findProgram } from "../base/host-tools.ts";
import { start, stop } from "../base/process.ts";
import { lastLines } from "./ansi.ts";
import { QEMU_ARCHES } from "./qemu-arch.ts";
import { makeScratch } from "./scratch.ts";
import type { Accelerator, Arch } from "./spec.ts";

export interface ProbeOptions {
  readonly arch?: Arch;
  /** Remembers the answer. */
  readonly cacheFile?: string | undefined;
  /** Milliseconds; default 3000. */
  readonly timeout?: number;
  readonly scratchRoot?: string | undefined;
}

/** Never throws: what does not work means software emulation, and `why` says so. */
export async function chooseAccelerator(options: ProbeOptions = {}): Promise<Accelerator> {
  const arch = options.arch ?? "x86_64";
  const obstacle = kvmObstacle(arch);
  if (obstacle !== undefined) return { name: "tcg", why: obstacle };
  // The probe's program is x86 code; on other hosts an accessible device is all that is known.
  if (arch !== "x86_64") return { name: "kvm", why: "/dev/kvm is accessible" };
  const binary = findProgram(QEMU_ARCHES[arch].binary);
  if (binary === undefined) return { name: "tcg", why: `${QEMU_ARCHES[arch].binary} is not installed` };
  const key = probeKey(binary);
  const remembered = recall(options.cacheFile, key);
  if (remembered !== undefined) return remembered;
  const answer = await probe(binary, options);
  remember(options.cacheFile, { key, answer });
  return answer;
}

function kvmObstacle(arch: Arch): string | undefined {
  if (QEMU_ARCHES[arch].hostArch !== process.arch) return `the host is ${process.arch}, the guest ${arch}`;
  if (!existsSync("/dev/kvm")) return "this host has no /dev/kvm";
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return systemCode(error) === "EACCES"
      ? "no permission for /dev/kvm (add yourself to the group kvm)"
      : messageOf(error);
  }
}

/**
 * A boot sector that leaves through QEMU's isa-debug-exit device: `mov al,0x10; out 0xf4,al; hlt; jmp hlt`. Value v ends
 * QEMU with exit code 2v+1.
 */
const BOOT_SECTOR = Buffer.concat([
  Buffer.of(0xb0, 0x10, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd),
  Buffer.alloc(503),
  Buffer.of(0x55, 0xaa),
]);
const EXPECTED_EXIT = 33;

async function probe(binary: string, options: ProbeOptions): Promise<Accelerator> {
  try {
    const scratch = makeScratch(options.scratchRoot);
    try {
      const image = path.join(scratch.dir, "probe.img");
      writeFileSync(image, BOOT_SECTOR);
      return await runProbe([binary, ...probeArgs(image)], options.timeout ?? 3000);
    } finally {
      scratch.remove();
    }
  } catch (error) {
    if (isBootwrightError(error)) return { name: "tcg", why: `KVM could not be tried: ${error.message}` };
    throw error;
  }
}

const probeArgs = (image: string): readonly string[] => [
  ...["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "16M"],
  // The model that machines get: with some broken KVMs only this one fails.
  ...["-accel", "kvm", "-cpu", "host"],
  ...["-drive", `if=ide,format=raw,snapshot=on,file=${image.replaceAll(",", ",,")}`],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"],
];

async function runProbe(argv: readonly string[], timeout: number): Promise<Accelerator> {
  const child = start(argv, { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  let timedOut = false;
  child.stdout?.resume();
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString("utf8")).slice(-8192);
    // The virtual CPU stopped for good and QEMU would wait for ever.
    if (stderr.includes("KVM internal error")) void stop(child, 0);
  });
  const timer = setTimeout(() => {
    timedOut = true;
    void stop(child, 0);
  }, timeout);
  const exit = await new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", resolve);
  });
  clearTimeout(timer);
  if (exit === EXPECTED_EXIT) return { name: "kvm", why: "a probe guest ran with KVM" };
  return { name: "tcg", why: `/dev/kvm is there but does not work: ${failure(stderr, timedOut)}` };
}

function failure(stderr: string, timedOut: boolean): string {
  const internal = /KVM internal error[^\n]*/.exec(stderr)?.[0];
  if (internal !== undefined) return internal;
  if (timedOut) return "a probe guest did not run";
  return (/Assertion [^\n]*/.exec(stderr)?.[0] ?? (lastLines(stderr, 1) || "a probe guest did not run")).slice(0, 120);
}

function probeKey(binary: string): string {
  const { size, mtimeMs } = statSync(binary);
  return [readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), binary, size, mtimeMs].join(" ");
}

function recall(cacheFile: string | undefined, key: string): Accelerator | undefined {
  if (cacheFile === undefined) return undefined;
  try {
    const cached: unknown = JSON.parse(readIfExists(cacheFile)?.toString("utf8") ?? "{}");
    return isRemembered(cached) && cached.key === key ? cached.answer : undefined;
  } catch {
    return undefined; // Damaged: probe again.
  }
}

/** A cache that cannot be written costs the next run a probe, nothing else. */
function remember(cacheFile: string | undefined, entry: Remembered): void {
  if (cacheFile === undefined) return;
  try {
    writeFileAtomic(cacheFile, JSON.stringify(entry));
  } catch {}
}

interface Remembered {
  readonly key: string;
  readonly answer: Accelerator;
}

function isRemembered(value: unknown): value is Remembered {
  if (typeof value !== "object" || value === null || !("key" in value) || !("answer" in value)) return false;
  const { answer } = value;
  if (typeof answer !== "object" || answer === null || !("name" in answer) || !("why" in answer)) return false;
  return (answer.name === "kvm" || answer.name === "tcg") && typeof answer.why === "string";
}
