import { expect, test } from "vitest";
import { hasScreen, type QemuContext, qemuArgs } from "./qemu-args.ts";
import type { MachineSpec } from "./spec.ts";

const context: QemuContext = { scratch: "/s", accelerator: "tcg" };
const direct: MachineSpec = {
  name: "m",
  boot: { kind: "direct", kernel: "/k", initrd: "/i", cmdline: "quiet, please" },
};

/** The value after `option`, or all of them. */
const values = (args: readonly string[], option: string): readonly string[] =>
  args.flatMap((word, i) => (args[i - 1] === option ? [word] : []));

test("a direct boot on q35", () => {
  const args = qemuArgs(direct, context);
  expect(values(args, "-machine")).toEqual(["q35"]);
  expect(values(args, "-kernel")).toEqual(["/k"]);
  expect(values(args, "-append")).toEqual(["quiet, please"]);
  expect(values(args, "-m")).toEqual(["512M"]);
  expect(values(args, "-smp")).toEqual(["1"]);
  expect(args).toContain("-no-reboot");
  expect(args).toContain("virtserialport,chardev=events,name=org.bootwright.events");
  expect(args).not.toContain("-netdev");
  expect(hasScreen(direct)).toBe(true);
});

test("microvm has no PCI device and no screen", () => {
  const spec: MachineSpec = {
    name: "m",
    boot: { kind: "direct", kernel: "/k", cmdline: "", machine: "microvm" },
    disks: [{ size: 1024 }],
    network: { kind: "user" },
  };
  const args = qemuArgs(spec, context);
  expect(values(args, "-machine")).toEqual(["microvm"]);
  expect(args.filter((word) => word.includes("pci") || word === "VGA")).toEqual([]);
  expect(values(args, "-device").filter((word) => word.startsWith("virtio-blk-device"))).toHaveLength(1);
  expect(hasScreen(spec)).toBe(false);
});

test("a microvm under emulation is told the counter's frequency, and nobody else", () => {
  const microvm: MachineSpec = { ...direct, boot: { kind: "direct", kernel: "/k", cmdline: "a", machine: "microvm" } };
  const append = (spec: MachineSpec, accelerator: "kvm" | "tcg") =>
    values(qemuArgs(spec, { ...context, accelerator, tscKhz: 7 }), "-append");
  expect(append(microvm, "tcg")).toEqual(["a tsc_early_khz=7"]);
  expect(append(microvm, "kvm")).toEqual(["a"]);
  expect(append(direct, "tcg")).toEqual(["quiet, please"]);
});

test("UEFI: a stick sits at a USB port, and nothing else does", () => {
  const devices = (bus: "virtio" | "usb") =>
    values(
      qemuArgs(
        { name: "m", boot: { kind: "uefi", medium: { kind: "image", path: "/a.img", sectorSize: 4096, bus } } },
        context,
      ),
      "-device",
    ).filter((word) => /usb|xhci|blk/.test(word));
  const boot = "drive=boot,bootindex=0,logical_block_size=4096,physical_block_size=4096";
  expect(devices("usb")).toEqual(["qemu-xhci,id=port", `usb-storage,bus=port.0,removable=on,${boot}`]);
  expect(devices("virtio")).toEqual([`virtio-blk-pci,${boot}`]);
});

test("UEFI: firmware, private variables, and a medium that stays as it is", () => {
  const firmware = { code: "/CODE.fd", vars: "/s/vars.fd", secure: false };
  const spec: MachineSpec = { name: "m", boot: { kind: "uefi", medium: { kind: "image", path: "/a, b.img" } } };
  expect(values(qemuArgs(spec, { ...context, firmware }), "-drive")).toEqual([
    "if=pflash,unit=0,format=raw,readonly=on,file=/CODE.fd",
    "if=pflash,unit=1,format=raw,file=/s/vars.fd",
    "if=none,id=boot,format=raw,snapshot=on,file=/a,, b.img",
  ]);
});

test("Secure Boot needs the SMM machine and locked flash", () => {
  const firmware = { code: "/CODE.fd", vars: "/s/vars.fd", secure: true };
  const spec: MachineSpec = {
    name: "m",
    boot: { kind: "uefi", medium: { kind: "iso", path: "/a.iso" }, secureBoot: { vars: "/v" } },
  };
  const args = qemuArgs(spec, { ...context, firmware });
  expect(values(args, "-machine")).toEqual(["q35,smm=on"]);
  expect(values(args, "-global")).toEqual(["driver=cfi.pflash01,property=secure,value=on"]);
  expect(args).toContain("scsi-cd,drive=boot,bootindex=0");
});

test("disks, forwarded ports, further arguments", () => {
  const args = qemuArgs(
    {
      ...direct,
      onReboot: "restart",
      disks: [{ path: "/d.qcow2", format: "qcow2", readonly: "discard" }, { path: "/e", readonly: true }, { size: 1 }],
      network: { kind: "user", forwards: [{ host: 2222, guest: 22 }] },
      extraArgs: ["-rtc", "base=utc"],
    },
    context,
  );
  expect(values(args, "-drive")).toEqual([
    "if=none,id=disk0,format=qcow2,snapshot=on,file=/d.qcow2",
    "if=none,id=disk1,format=raw,readonly=on,file=/e",
    "if=none,id=disk2,format=raw,file=/s/disk2.raw",
  ]);
  expect(values(args, "-netdev")).toEqual(["user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22"]);
  expect(args.slice(-2)).toEqual(["-rtc", "base=utc"]);
  expect(args).not.toContain("-no-reboot");
});

test("KVM gives the host's processor, emulation all that QEMU can", () => {
  expect(values(qemuArgs(direct, { ...context, accelerator: "kvm" }), "-cpu")).toEqual(["host"]);
  expect(values(qemuArgs(direct, context), "-cpu")).toEqual(["max"]);
});
