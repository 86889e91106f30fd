/**
 * How three monitors are asked to run a microVM: QEMU's arguments, Firecracker's configuration file, and the body of
 * cloud-hypervisor's `vm.create`. Paths are relative to the directory that holds the files.
 */
import type { Json } from "../base/json.ts";

export interface Microvm {
  readonly architecture: "amd64" | "arm64";
  readonly cmdline: string;
  readonly initrd: boolean;
  /** The root's file name, and whether the guest may write to it. */
  readonly root: { readonly file: string; readonly readonly: boolean };
  /** Bytes. */
  readonly memory: number;
  readonly cpus: number;
}

/** Names in the directory. `elf`: what Firecracker and cloud-hypervisor start; on arm64 that is the Image itself. */
export const MICROVM_FILES = { kernel: "vmlinuz", elf: "vmlinux", initrd: "initrd" } as const;

const MIB = 1024 * 1024;

/** One argument a line. The accelerator is left to who runs it. */
export function qemuArguments(vm: Microvm): string {
  const machine = vm.architecture === "amd64" ? "microvm" : "virt";
  const words = [
    ...["-M", machine, "-m", `${Math.ceil(vm.memory / MIB)}M`, "-smp", String(vm.cpus)],
    ...["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-serial", "stdio"],
    ...["-kernel", MICROVM_FILES.kernel, ...(vm.initrd ? ["-initrd", MICROVM_FILES.initrd] : [])],
    ...["-append", vm.cmdline],
    ...["-drive", `if=none,id=root,format=raw,file=${vm.root.file}${vm.root.readonly ? ",readonly=on" : ""}`],
    ...["-device", "virtio-blk-device,drive=root"],
  ];
  return words.map((word) => `${word}\n`).join("");
}

/** For `firecracker --config-file`: the members of FullVmConfiguration in its API's description. */
export function firecrackerConfig(vm: Microvm): Json {
  return {
    "boot-source": {
      kernel_image_path: elfName(vm),
      // Its machine has no PCI, and leaves on a reset by the keyboard controller.
      boot_args: `${vm.cmdline} reboot=k panic=1 pci=off`,
      ...(vm.initrd && { initrd_path: MICROVM_FILES.initrd }),
    },
    drives: [{ drive_id: "root", path_on_host: vm.root.file, is_root_device: false, is_read_only: vm.root.readonly }],
    "machine-config": { vcpu_count: vm.cpus, mem_size_mib: Math.ceil(vm.memory / MIB) },
  };
}

/** VmConfig of its API's description. */
export function cloudHypervisorConfig(vm: Microvm): Json {
  return {
    payload: {
      kernel: elfName(vm),
      cmdline: vm.cmdline,
      ...(vm.initrd && { initramfs: MICROVM_FILES.initrd }),
    },
    cpus: { boot_vcpus: vm.cpus, max_vcpus: vm.cpus },
    memory: { size: vm.memory },
    disks: [{ path: vm.root.file, readonly: vm.root.readonly }],
    serial: { mode: "Tty" },
    console: { mode: "Off" },
  };
}

const elfName = (vm: Microvm): string => (vm.architecture === "amd64" ? MICROVM_FILES.elf : MICROVM_FILES.kernel);
