/**
 * Why a guest did not get ready, from what it wrote on its console. Each cause is a sentence and the next thing to try.
 * The order matters: a panic's last words are general ("not syncing"), its first words are the cause.
 */
import { stripAnsi } from "./ansi.ts";

export interface Diagnosis {
  /** Stable, for tests and scripts. */
  readonly id: string;
  /** The kernel stopped for good: no need to wait longer. */
  readonly fatal: boolean;
  readonly cause: string;
  readonly hint: string;
}

interface Sign extends Omit<Diagnosis, "cause"> {
  readonly pattern: RegExp;
  readonly cause: string | ((match: RegExpExecArray) => string);
}

const SIGNS: readonly Sign[] = [
  {
    id: "secure-boot-denied",
    fatal: true,
    pattern: /BdsDxe: failed to (?:load|start) [^\n]*Access Denied/,
    cause: "Secure Boot refused the EFI file: it is not signed by a key that the firmware trusts",
    hint: "sign the image, enrol its certificate, or boot without Secure Boot",
  },
  {
    id: "initramfs-damaged",
    fatal: false,
    pattern: /Initramfs unpacking failed: ([^\n]*)/,
    cause: (match) => `the kernel could not unpack the initramfs (${initramfsReason(match[1]!)})`,
    hint: "check the initramfs's compression against the kernel's CONFIG_RD_* options, and the machine's memory",
  },
  {
    id: "no-init",
    fatal: true,
    pattern: /No working init found|No init found|Requested init \S+ failed|Failed to execute \/init/,
    cause: "the kernel found no program to start as /init",
    hint: "the initramfs needs an executable /init, and a script also needs the interpreter that its first line names",
  },
  {
    id: "no-root",
    fatal: true,
    pattern: /VFS: (?:Cannot open root device|Unable to mount root fs)[^\n]*/,
    cause: "the kernel found neither an initramfs with /init nor a root file system",
    hint: "check that the initramfs is given, or root= and the disk's driver (virtio_blk, nvme, ahci) built in",
  },
  {
    id: "init-died",
    fatal: true,
    pattern: /Attempted to kill init!(?: exitcode=0x([0-9a-f]+))?/,
    cause: (match) => `the init process ended${exitText(match[1])}: a kernel cannot go on without it`,
    hint: "an init script must not end; its last line is `exec` of something that stays",
  },
  {
    id: "out-of-memory",
    fatal: false,
    pattern: /Out of memory(?: and no killable processes|: Killed process)|System is deadlocked on memory|oom-kill:/,
    cause: "the machine ran out of memory",
    hint: "give it more memory: an initramfs needs about its unpacked size twice while it boots",
  },
  {
    id: "panic",
    fatal: true,
    pattern: /Kernel panic - not syncing: ([^\n]*)/,
    cause: (match) => `the kernel panicked: ${match[1]!.trim()}`,
    hint: "boot with a console and without `quiet` to see what came before",
  },
  {
    id: "emergency-shell",
    fatal: false,
    pattern: /You are in emergency mode|emergency shell|\(initramfs\) |dracut:\/#|rescue mode/i,
    cause: "the guest gave up and opened an emergency shell",
    hint: "its console says above which mount or service failed",
  },
  {
    id: "no-bootable-device",
    fatal: true,
    pattern: /No bootable (?:device|option or device)|BdsDxe: No bootable|UEFI Interactive Shell/,
    cause: "the firmware found nothing to boot",
    hint: "the medium needs EFI/BOOT/BOOTX64.EFI (BOOTAA64.EFI on aarch64) on a FAT file system",
  },
  {
    id: "module-missing",
    fatal: false,
    pattern: /(?:insmod|modprobe): (?:can't|FATAL: Module|ERROR:)[^\n]*|Module (\S+) not found/,
    cause: (match) => `a kernel module could not be loaded (${match[0].trim().slice(0, 120)})`,
    hint: "add it to the initramfs's modules; its dependencies follow by themselves",
  },
  {
    id: "segfault",
    fatal: false,
    pattern: /(\S+)\[\d+\]: segfault at/,
    cause: (match) => `the program ${match[1]!.slice(0, 40)} crashed (segmentation fault)`,
    hint: "check that it is built for this architecture and has its libraries",
  },
];

/** The most telling cause that the console shows, or undefined. */
export function diagnose(consoleText: string): Diagnosis | undefined {
  const text = stripAnsi(consoleText);
  for (const { pattern, cause, ...rest } of SIGNS) {
    const match = pattern.exec(text);
    if (match !== null) return { ...rest, cause: typeof cause === "string" ? cause : cause(match) };
  }
  return undefined;
}

/** The kernel said that it stopped for good. */
export const hasPanicked = (text: string): boolean => text.includes("Kernel panic - not syncing");

const FATAL = SIGNS.filter((sign) => sign.fatal).map((sign) => sign.pattern);

/** The guest cannot become ready any more. Cheap enough to ask for each new piece of console text. */
export const isFatal = (recentText: string): boolean => FATAL.some((pattern) => pattern.test(recentText));

const initramfsReason = (text: string): string => {
  const reason = text.trim().slice(0, 80);
  if (/write error/.test(reason)) return `${reason}: too little memory, most likely`;
  if (/invalid magic|no cpio magic|junk/.test(reason)) return `${reason}: it is damaged or not an initramfs`;
  return reason;
};

/** The wait status of init, as the kernel prints it: exit code in the second byte, signal in the low seven bits. */
function exitText(status: string | undefined): string {
  if (status === undefined) return "";
  const value = Number.parseInt(status, 16);
  return (value & 0x7f) === 0 ? ` (exit code ${(value >> 8) & 0xff})` : ` (signal ${value & 0x7f})`;
}
