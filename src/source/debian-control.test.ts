import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { tempDir } from "../../test/support/temp-store.ts";
import { readControl } from "./debian-control.ts";

describe("readControl", () => {
  it.each(["gzip", "xz", "zstd"])("reads what dpkg-deb packs with %s", async (compression) => {
    const dir = tempDir();
    fs.mkdirSync(path.join(dir, "DEBIAN"));
    fs.writeFileSync(path.join(dir, "DEBIAN/postinst"), `#!/bin/sh\n#${"x".repeat(100_000)}\n`, { mode: 0o755 });
    const control =
      "Package: probe\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@test.invalid>\nDescription: probe\n";
    fs.writeFileSync(path.join(dir, "DEBIAN/control"), control);
    const file = path.join(tempDir(), "probe.deb");
    execFileSync(needProgram("dpkg-deb", "dpkg"), [`-Z${compression}`, "--uniform-compression", "--build", dir, file]);
    expect((await readControl([fs.readFileSync(file)], "probe")).get("package")).toBe("probe");
  });

  it("refuses what is no package", async () => {
    await expect(readControl([Buffer.from("!<arch>\n")], "probe")).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  });
});
