/** What differs between architectures, as data. */
import { OVMF_CODE_FILES } from "../base/host-tools.ts";
import type { Arch } from "./spec.ts";

export interface QemuArch {
  readonly binary: string;
  readonly debianPackage: string;
  readonly machine: string;
  /** Node's name for a host on which KVM can run it. */
  readonly hostArch: string;
  /** Candidates for the firmware's code; the variable store's name has VARS for CODE. */
  readonly firmware: readonly string[];
  readonly secureFirmware: readonly string[];
  readonly firmwarePackage: string;
  /** Screen and keyboard, as `-device` arguments; q35 has a PS/2 keyboard by itself. */
  readonly inputOutput: readonly string[];
}

export const QEMU_ARCHES: Readonly<Record<Arch, QemuArch>> = {
  x86_64: {
    binary: "qemu-system-x86_64",
    debianPackage: "qemu-system-x86",
    machine: "q35",
    hostArch: "x64",
    firmware: OVMF_CODE_FILES,
    secureFirmware: ["/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd"],
    firmwarePackage: "ovmf",
    inputOutput: ["VGA"],
  },
  aarch64: {
    binary: "qemu-system-aarch64",
    debianPackage: "qemu-system-arm",
    machine: "virt",
    hostArch: "arm64",
    firmware: ["/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/edk2/aarch64/QEMU_CODE.fd"],
    secureFirmware: [],
    firmwarePackage: "qemu-efi-aarch64",
    inputOutput: ["ramfb", "virtio-keyboard-pci"],
  },
};
