import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aliasFile, modulesForDevices, parseDeviceList } from "./device-aliases.ts";

const ALIASES = {
  "pci:v00008086d000015B8sv*sd*bc*sc*i*": ["e1000e"],
  "pci:v00008086d000015B9sv*sd*bc*sc*i*": ["e1000e"],
  "pci:v*d*sv*sd*bc01sc08i02*": ["nvme"],
  "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*": ["usb_storage", "uas"],
  "acpi*:PNP0C0A:*": ["battery"],
  "of:N*T*Carm,pl011": ["pl011"],
  "virtio:d00000001v*": ["virtio_net"],
  "input:b*v*p*e*-e*1,*k*r*a*[0-2]m*": ["evbug"],
};
const forDevices = (...devices: string[]) => modulesForDevices(ALIASES, devices);

describe("modulesForDevices", () => {
  it.each([
    ["a network card", "pci:v00008086d000015B8sv000017AAsd00002247bc02sc00i00", ["e1000e"]],
    ["a class of devices", "pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02", ["nvme"]],
    ["two drivers of one device", "usb:v0781p5583d0100dc00dsc00dp00ic08isc06ip50in00", ["uas", "usb_storage"]],
    ["a wildcard before the colon", "acpi:PNP0C0A:", ["battery"]],
    ["a whole word", "of:NserialT(null)Carm,pl011", ["pl011"]],
    ["a set", "input:b0v0p0e0-e0,1,kramlsfw", []],
    ["what nothing drives", "pci:v0000FFFFd0000FFFFsv0sd0bc00sc00i00", []],
  ])("%s", (_, device, modules) => {
    expect(forDevices(device)).toEqual(modules);
  });

  it("takes each device and each module once", () => {
    const virtio = "virtio:d00000001v00001AF4";
    expect(forDevices(virtio, virtio, "pci:v00008086d000015B9sv0sd0bc02sc00i00")).toEqual(["e1000e", "virtio_net"]);
  });

  it("takes any text", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (pattern, device) => {
        modulesForDevices({ [`pci:${pattern.replaceAll(/[[\]]/g, "")}`]: ["m"] }, [`pci:${device}`]);
      }),
    );
  });

  it("a pattern without wildcards matches itself alone", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9.,()+-]*$/), (text) => {
        expect(modulesForDevices({ [`of:${text}`]: ["m"] }, [`of:${text}`, `of:${text}x`])).toEqual(["m"]);
      }),
    );
  });
});

it("parseDeviceList takes lines, without comments", () => {
  expect(parseDeviceList("# laptop\npci:v1 # card\n\n  usb:v2\n")).toEqual(["pci:v1", "usb:v2"]);
});

it("aliasFile is what modprobe reads", () => {
  expect(aliasFile({ "usb:*": ["b", "a"], "pci:*": ["c"] })).toBe("alias pci:* c\nalias usb:* a\nalias usb:* b\n");
});
