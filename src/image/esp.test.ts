import { describe, expect, it } from "vitest";
import { efiBootPath, espItems } from "./esp.ts";

const file = { size: 1, read: () => [Buffer.from("x")] };

describe("espItems", () => {
  it("puts the boot program where the architecture's firmware looks", () => {
    expect(efiBootPath("amd64")).toBe("EFI/BOOT/BOOTX64.EFI");
    expect(efiBootPath("arm64")).toBe("EFI/BOOT/BOOTAA64.EFI");
    const items = espItems({ architecture: "amd64", boot: file, files: { "/loader/loader.conf": file } });
    expect(items.map((item) => item.path)).toEqual(["EFI/BOOT/BOOTX64.EFI", "loader/loader.conf"]);
  });

  it("refuses a second boot program and paths that leave the volume", () => {
    const at = (path: string) => () => espItems({ architecture: "amd64", boot: file, files: { [path]: file } });
    expect(at("/efi/boot/bootx64.efi")).toThrow(expect.objectContaining({ code: "TREE_CONFLICT" }));
    expect(at("/../x")).toThrow(expect.objectContaining({ code: "PATH_UNSAFE" }));
  });
});
