import { describe, expect, it } from "vitest";
import { PackagesIndex } from "../formats/deb822.ts";
import { DebianArchive } from "./debian-archive.ts";
import { type RootWish, rootPackages } from "./debian-root-closure.ts";

const ARCHIVE = `
Package: base-files
Essential: yes
Priority: required
Pre-Depends: awk
Depends: usrmerge | usr-is-merged

Package: gawk
Priority: optional
Version: 9
Provides: awk

Package: mawk
Priority: required
Provides: awk

Package: original-awk
Priority: optional
Provides: awk

Package: usrmerge

Package: usr-is-merged

Package: apt
Priority: required

Package: daemon
Depends: mail-transport-agent | nothing, lib (>= 2)
Recommends: helper | other, not-there

Package: postfix
Priority: standard
Provides: mail-transport-agent

Package: exim
Priority: optional
Provides: mail-transport-agent

Package: lib
Version: 2.0
Recommends: lib-data

Package: lib-data

Package: helper

Package: broken
Depends: not-there
`;

/** What every stanza has, unless it says otherwise. */
const stanza = (text: string) =>
  `${text.includes("Version:") ? text : `${text}\nVersion: 1.0`}\nArchitecture: ${text.includes("base") ? "all" : "amd64"}`;
const index = new PackagesIndex(Buffer.from(`${ARCHIVE.trim().split("\n\n").map(stanza).join("\n\n")}\n`));
const archive = new DebianArchive([index], "amd64");
const names = (wish: Partial<RootWish>) =>
  rootPackages(archive, { packages: [], variant: "required", recommends: false, ...wish }).map((one) =>
    one.get("package"),
  );

describe("rootPackages", () => {
  it("takes what is required, and of alternatives what is there already", () => {
    expect(names({})).toEqual(["apt", "base-files", "mawk", "usr-is-merged"]);
  });

  it("takes of virtual packages the provider of the highest priority when none is there", () => {
    expect(names({ variant: "essential" })).toEqual(["base-files", "mawk", "usr-is-merged"]);
    expect(names({ packages: ["daemon"] })).toEqual([
      ...["apt", "base-files", "daemon", "lib", "mawk", "postfix", "usr-is-merged"],
    ]);
  });

  it("prefers what is named, wherever it stands among the alternatives", () => {
    expect(names({ packages: ["daemon", "exim"] })).not.toContain("postfix");
    expect(names({ packages: ["original-awk"], variant: "essential" })).not.toContain("mawk");
  });

  it("takes recommended packages when asked to, as far as there are any", () => {
    expect(names({ packages: ["daemon"], recommends: true })).toEqual([
      ...["apt", "base-files", "daemon", "helper", "lib", "lib-data", "mawk", "postfix", "usr-is-merged"],
    ]);
  });

  it("refuses an archive that is no distribution", () => {
    const only = new PackagesIndex(Buffer.from("Package: tool\nVersion: 1\nArchitecture: all\n"));
    const wish = { packages: ["tool"], variant: "essential", recommends: false } as const;
    expect(() => rootPackages(new DebianArchive([only], "amd64"), wish)).toThrow(/no essential packages/);
  });

  it("says which package depends on what is not there", () => {
    expect(() => names({ packages: ["broken"] })).toThrow(/broken depends on not-there/);
    expect(() => names({ packages: ["daemn"] })).toThrow(/no package daemn.*did you mean "?daemon/);
  });
});
