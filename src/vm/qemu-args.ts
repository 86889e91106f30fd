/** QEMU's command line from a machine's description. Pure: the same description gives the same words. */
import path from "node:path";
import { consolePath } from "./console-pipes.ts";
import type { Firmware } from "./firmware.ts";
import { QEMU_ARCHES } from "./qemu-arch.ts";
import type { Accelerator, Disk, MachineSpec, UefiMedium } from "./spec.ts";
import { withTscFrequency } from "./tsc.ts";

export interface QemuContext {
  readonly scratch: string;
  readonly accelerator: Accelerator["name"];
  /** Only for a UEFI boot. */
  readonly firmware?: Firmware;
  /** For a microvm under emulation (`tsc.ts`). */
  readonly tscKhz?: number | undefined;
}

/** Unix sockets in the scratch directory that we listen on and QEMU connects to, so that nobody has to poll. */
export const SOCKETS = ["qmp", "events", "agent"] as const;
export type SocketName = (typeof SOCKETS)[number];

export const socketPath = (scratch: string, name: SocketName): string => path.join(scratch, name);

/** Where a scratch disk of the description lies. */
export const scratchDiskPath = (scratch: string, index: number): string => path.join(scratch, `disk${index}.raw`);

export const EVENTS_PORT = "org.bootwright.events";
export const AGENT_PORT = "org.bootwright.agent";

/** All words after the program's name. */
export function qemuArgs(spec: MachineSpec, context: QemuContext): readonly string[] {
  const bus = busOf(spec);
  return [
    // Nothing that is not asked for: no default network card, no user's configuration file.
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...["-name", quote(spec.name)],
    // Halted until all channels are connected: no first word is lost, and power-on has an exact time.
    "-S",
    ...(spec.onReboot === "restart" ? [] : ["-no-reboot"]),
    ...["-machine", machineType(spec, context)],
    ...["-accel", context.accelerator],
    ...["-cpu", context.accelerator === "kvm" ? "host" : "max"],
    ...["-smp", String(spec.cpus ?? 1)],
    ...["-m", `${Math.ceil((spec.memory ?? 512 * 1024 ** 2) / 1024 ** 2)}M`],
    ...channels(context.scratch, bus),
    ...["-device", `virtio-rng-${bus}`],
    ...(bus === "device"
      ? []
      : QEMU_ARCHES[spec.arch ?? "x86_64"].inputOutput.flatMap((device) => ["-device", device])),
    ...firmwareArgs(context.firmware),
    ...bootArgs(spec, { ...context, bus }),
    ...(spec.disks ?? []).flatMap((disk, index) => diskArgs(disk, { index, bus, scratch: context.scratch })),
    ...networkArgs(spec, bus),
    ...(spec.extraArgs ?? []),
  ];
}

export const hasScreen = (spec: MachineSpec): boolean => busOf(spec) === "pci";

type Bus = "pci" | "device";

/** microvm has no PCI: the same devices sit on virtio-mmio, and their names end in `-device`. */
const busOf = (spec: MachineSpec): Bus =>
  spec.boot.kind === "direct" && spec.boot.machine === "microvm" ? "device" : "pci";

function machineType(spec: MachineSpec, { firmware }: QemuContext): string {
  if (busOf(spec) === "device") return "microvm";
  const type = QEMU_ARCHES[spec.arch ?? "x86_64"].machine;
  return firmware?.secure ? `${type},smm=on` : type;
}

function channels(scratch: string, bus: Bus): readonly string[] {
  const socket = (name: SocketName) => ["-chardev", `socket,id=${name},path=${quote(socketPath(scratch, name))}`];
  return [
    // First, so that it is open when the sockets are connected.
    ...["-chardev", `pipe,id=console,path=${quote(consolePath(scratch))}`],
    ...SOCKETS.flatMap(socket),
    ...["-mon", "chardev=qmp,mode=control"],
    ...["-serial", "chardev:console"],
    ...["-device", `virtio-serial-${bus}`],
    ...["-device", `virtserialport,chardev=events,name=${EVENTS_PORT}`],
    ...["-device", `virtserialport,chardev=agent,name=${AGENT_PORT}`],
  ];
}

function firmwareArgs(firmware: Firmware | undefined): readonly string[] {
  if (firmware === undefined) return [];
  return [
    ...["-drive", `if=pflash,unit=0,format=raw,readonly=on,file=${quote(firmware.code)}`],
    ...["-drive", `if=pflash,unit=1,format=raw,file=${quote(firmware.vars)}`],
    // Without it the guest's kernel could write the variables and switch Secure Boot off.
    ...(firmware.secure ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : []),
  ];
}

function bootArgs({ boot }: MachineSpec, { bus, accelerator, tscKhz }: QemuContext & { bus: Bus }): readonly string[] {
  if (boot.kind === "uefi") return mediumArgs(boot.medium, bus);
  const blind = bus === "device" && accelerator === "tcg" && tscKhz !== undefined;
  return [
    // These take the path as it is: no commas doubled.
    ...["-kernel", boot.kernel],
    ...(boot.initrd === undefined ? [] : ["-initrd", boot.initrd]),
    ...["-append", blind ? withTscFrequency(boot.cmdline, tscKhz) : boot.cmdline],
  ];
}

/** The medium is an artifact: what the guest writes to it goes to a temporary file and is lost. */
function mediumArgs(medium: UefiMedium, bus: Bus): readonly string[] {
  switch (medium.kind) {
    case "directory":
      return [
        ...["-drive", `if=none,id=boot,format=raw,snapshot=on,file=fat:${quote(medium.path)}`],
        ...["-device", `virtio-blk-${bus},drive=boot,bootindex=0`],
      ];
    case "image":
      return [
        ...["-drive", `if=none,id=boot,format=${medium.format ?? "raw"},snapshot=on,file=${quote(medium.path)}`],
        ...(medium.bus === "usb"
          ? ["-device", "qemu-xhci,id=port", "-device", `usb-storage,bus=port.0,removable=on,${bootDrive(medium)}`]
          : ["-device", `virtio-blk-${bus},${bootDrive(medium)}`]),
      ];
    case "disk":
      return [
        ...["-drive", `if=none,id=boot,format=raw,file=${quote(medium.path)}`],
        ...["-device", `virtio-blk-${bus},drive=boot${sectors(medium.sectorSize)}`],
      ];
    case "network":
      return []; // Part of the network card.
    case "iso":
      return [
        ...["-drive", `if=none,id=boot,format=raw,media=cdrom,readonly=on,file=${quote(medium.path)}`],
        ...["-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=boot,bootindex=0"],
      ];
  }
}

const bootDrive = ({ sectorSize }: { readonly sectorSize?: number }): string =>
  `drive=boot,bootindex=0${sectors(sectorSize)}`;

const sectors = (size = 512): string => (size === 512 ? "" : `,logical_block_size=${size},physical_block_size=${size}`);

function diskArgs(
  disk: Disk,
  { index, bus, scratch }: { readonly index: number; readonly bus: Bus; readonly scratch: string },
): readonly string[] {
  const id = `disk${index}`;
  const file = "path" in disk ? disk.path : scratchDiskPath(scratch, index);
  const format = "path" in disk ? (disk.format ?? "raw") : "raw";
  const access = "path" in disk ? disk.readonly : false;
  const option = access === "discard" ? ",snapshot=on" : access ? ",readonly=on" : "";
  return [
    ...["-drive", `if=none,id=${id},format=${format}${option},file=${quote(file)}`],
    // The serial number makes /dev/disk/by-id/virtio-disk0 where there is udev.
    ...["-device", `virtio-blk-${bus},drive=${id},serial=${id}`],
  ];
}

function networkArgs({ network, boot }: MachineSpec, bus: Bus): readonly string[] {
  const medium = boot.kind === "uefi" && boot.medium.kind === "network" ? boot.medium : undefined;
  if ((network === undefined || network === "none") && medium === undefined) return [];
  const open = typeof network === "object";
  // Only the host itself reaches a forwarded port, not its whole network.
  const forwards = open ? (network.forwards ?? []) : [];
  const options = [
    ...forwards.map(({ host, guest }) => `hostfwd=tcp:127.0.0.1:${host}-:${guest}`),
    // A machine that asked for no network gets its boot file and nothing else.
    ...(open ? [] : ["restrict=on"]),
    ...(medium === undefined ? [] : [`tftp=${quote(medium.directory)}`, `bootfile=${quote(medium.file)}`]),
  ];
  return [
    ...["-netdev", ["user,id=net0", ...options].join(",")],
    // The firmware's own driver: the card's iPXE would hand its file name to a UKI as a command line.
    ...["-device", `virtio-net-${bus},netdev=net0${medium === undefined ? "" : ",bootindex=0,romfile="}`],
  ];
}

/** QEMU's option parser takes `,,` for a comma in a value. */
const quote = (value: string): string => value.replaceAll(",", ",,");
