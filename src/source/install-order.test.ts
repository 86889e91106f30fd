import { describe, expect, it } from "vitest";
import { parseStanza } from "../formats/deb822.ts";
import { installLevels } from "./install-order.ts";

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
