import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { tempDir } from "../../test/support/temp-store.ts";
import { parseStanza } from "../formats/deb822.ts";
import { installLevels, readControl } from "./install-order.ts";

const both = (...stanzas: string[]) => Object.fromEntries(installLevels(stanzas.map((text) => parseStanza(text))));
const levels = (...stanzas: string[]) =>
  Object.fromEntries(Object.entries(both(...stanzas)).map(([name, { unpack }]) => [name, unpack]));

describe("installLevels", () => {
  it("puts what is essential first, with all that it depends on", () => {
    expect(
      levels(
        "Package: shell\nEssential: yes\nPre-Depends: libc\nDepends: awk",
        "Package: libc\nDepends: libgcc",
        "Package: libgcc",
        "Package: mawk\nProvides: awk",
        "Package: editor\nDepends: libc",
      ),
    ).toEqual({ shell: 0, libc: 0, libgcc: 0, mawk: 0, editor: 1 });
  });

  it("puts a package above those that it pre-depends on, by name or by what they provide", () => {
    expect(
      levels(
        "Package: base\nEssential: yes",
        "Package: daemon\nPre-Depends: config-asker | debconf-2.0, base",
        "Package: debconf\nProvides: debconf-2.0",
        "Package: editor\nPre-Depends: daemon",
      ),
    ).toEqual({ base: 0, debconf: 1, daemon: 2, editor: 3 });
  });

  it("configures nothing before all that it depends on is unpacked", () => {
    expect(
      both(
        "Package: base\nEssential: yes",
        "Package: login\nDepends: init (= 1)",
        "Package: init\nPre-Depends: libraries",
        "Package: libraries\nDepends: data",
        "Package: data",
      ),
    ).toEqual({
      base: { unpack: 0, configure: 0 },
      libraries: { unpack: 1, configure: 1 },
      data: { unpack: 1, configure: 1 },
      init: { unpack: 2, configure: 2 },
      login: { unpack: 1, configure: 2 },
    });
  });

  it("comes to an end when packages pre-depend on each other", () => {
    const found = levels("Package: a\nPre-Depends: b", "Package: b\nPre-Depends: a");
    expect(Object.values(found).every((level) => level >= 1 && level <= 3)).toBe(true);
  });
});

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
