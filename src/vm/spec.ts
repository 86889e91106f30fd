/** What a machine is made of, as plain data. Sizes are bytes, times milliseconds, paths the host's own. */
import type { Emit } from "../base/events.ts";

export type Arch = "x86_64" | "aarch64";

/** How a disk is attached: "usb" is a stick at a USB 3 port. Default "virtio". */
export type MediumBus = "virtio" | "usb";

/** What the firmware finds: a directory served as an ESP, or a raw image (FAT, or a partitioned disk), or a CD image. */
export type UefiMedium =
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "image";
      readonly path: string;
      readonly sectorSize?: 512 | 4096;
      /** QEMU's name of the file's format; default "raw". */
      readonly format?: "raw" | "qcow2" | "vpc" | "vmdk";
      readonly bus?: MediumBus;
    }
  | { readonly kind: "iso"; readonly path: string }
  /** A raw disk that the machine owns: it writes to it, and the firmware alone chooses what starts (its BootOrder). */
  | { readonly kind: "disk"; readonly path: string; readonly sectorSize?: 512 | 4096 }
  /** The network card's own boot: QEMU serves the directory by TFTP, and names the file in its DHCP answers. */
  | { readonly kind: "network"; readonly directory: string; readonly file: string };

export type BootSource =
  | {
      readonly kind: "direct";
      readonly kernel: string;
      readonly initrd?: string;
      readonly cmdline: string;
      /** `microvm` has no firmware, PCI, screen or keyboard, and starts sooner. Default `q35`. x86_64 only. */
      readonly machine?: "q35" | "microvm";
    }
  | {
      readonly kind: "uefi";
      readonly medium: UefiMedium;
      /** A variable store with keys enrolled turns Secure Boot on (the SMM build of the firmware, about 4x slower). */
      readonly secureBoot?: { readonly vars: string };
      /** The machine's own variables, kept from one run to the next; made from the firmware's when there are none. */
      readonly variables?: string;
    };

export type Disk =
  | {
      readonly path: string;
      readonly format?: "raw" | "qcow2";
      /** `true`: the guest cannot write. `"discard"`: it writes, and the file stays as it was. Default false. */
      readonly readonly?: boolean | "discard";
    }
  /** A fresh sparse disk of this many bytes, gone with the machine. */
  | { readonly size: number };

export type Network =
  | "none"
  | { readonly kind: "user"; readonly forwards?: readonly { readonly host: number; readonly guest: number }[] };

/** How long the machine may say nothing at all in each phase before it counts as hung. */
export type IdleLimits = Readonly<Record<"firmware" | "kernel" | "init", number>>;

export interface MachineSpec {
  /** For events and error texts. */
  readonly name: string;
  readonly arch?: Arch;
  readonly boot: BootSource;
  /** Bytes; default 512 MiB. */
  readonly memory?: number;
  /** Default 1: software emulation is slower with more when several machines run. */
  readonly cpus?: number;
  readonly disks?: readonly Disk[];
  readonly network?: Network;
  /** Further arguments for QEMU, as they are. */
  readonly extraArgs?: readonly string[];
  /** What tells that the guest is ready. Default `"event"`: `{"event":"ready"}` on the events port. */
  readonly ready?: "event" | "started" | RegExp;
  /** What a guest's reboot does; default `"stop"`. With `"restart"` a panic after it was ready is no end either. */
  readonly onReboot?: "stop" | "restart";
}

export interface MachineOptions {
  readonly emit?: Emit;
  /** Stops the machine. */
  readonly signal?: AbortSignal;
  /** Where the scratch directory is made; default the system's temporary directory. */
  readonly scratchRoot?: string;
  /** Remembers between runs whether KVM works; without it the probe runs each time (0.1–3 s). */
  readonly accelerator?: Accelerator | { readonly cacheFile?: string };
  readonly idle?: Partial<IdleLimits>;
}

export interface Accelerator {
  readonly name: "kvm" | "tcg";
  /** Said to the user: why this one. */
  readonly why: string;
}
