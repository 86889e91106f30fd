import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { aptSources, parseDeb822, parseOneLine } from "./apt-config.ts";

const DEBIAN = "/usr/share/keyrings/debian-archive-keyring.gpg";
const UBUNTU = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
const DEFAULT = [DEBIAN, UBUNTU];

/** A host's files by path below its root. */
function host(files: Readonly<Record<string, string>>): string {
  const root = tempDir();
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  }
  return root;
}

const bookworm = { "etc/os-release": 'ID=debian\nVERSION_CODENAME=bookworm\nVERSION_ID="12"\n' };
const noble = { "etc/os-release": "ID=ubuntu\nVERSION_CODENAME=noble\n" };
const main = { components: ["main"] };
const sources = (files: Readonly<Record<string, string>>, config: object = {}) =>
  aptSources({ ...main, ...config }, { projectDir: "/project", root: host(files) });
const suites = (list: readonly { uri: string; suite: string }[]) => list.map(({ uri, suite }) => `${uri} ${suite}`);

describe("the host's apt configuration", () => {
  it("of Debian in one-line style", () => {
    const list = `# see sources.list(5)
deb http://mirror.example/debian/ bookworm main contrib non-free-firmware
deb-src http://mirror.example/debian bookworm main
deb [ arch=amd64 signed-by=${DEBIAN} ] http://mirror.example/debian bookworm-updates main # updates
deb http://security.example/debian-security bookworm-security main
deb http://mirror.example/debian bookworm-backports main
deb cdrom:[Debian]/ bookworm main
`;
    expect(sources({ ...bookworm, "etc/apt/sources.list": list })).toEqual([
      { uri: "http://mirror.example/debian", suite: "bookworm", components: ["main"], keyrings: DEFAULT },
      { uri: "http://mirror.example/debian", suite: "bookworm-updates", components: ["main"], keyrings: [DEBIAN] },
      {
        uri: "http://security.example/debian-security",
        suite: "bookworm-security",
        components: ["main"],
        keyrings: DEFAULT,
      },
    ]);
  });

  it("of Debian in deb822 style", () => {
    const text = `Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: ${DEBIAN}

# disabled
Enabled: no
Types: deb
URIs: http://other.example/debian
Suites: bookworm
Components: main
`;
    expect(sources({ ...bookworm, "etc/apt/sources.list.d/debian.sources": text })).toEqual([
      { uri: "http://mirror.example/debian", suite: "bookworm", components: ["main"], keyrings: [DEBIAN] },
      { uri: "http://mirror.example/debian", suite: "bookworm-updates", components: ["main"], keyrings: [DEBIAN] },
    ]);
  });

  it("of Ubuntu", () => {
    const text = `Types: deb
URIs: http://archive.example/ubuntu/
Suites: noble noble-updates noble-backports
Components: main universe restricted
Signed-By: ${UBUNTU}

Types: deb
URIs: http://security.example/ubuntu/
Suites: noble-security
Components: main universe
Signed-By: ${UBUNTU}
`;
    const found = sources(
      { ...noble, "etc/apt/sources.list.d/ubuntu.sources": text },
      { components: ["main", "universe"] },
    );
    expect(suites(found)).toEqual([
      "http://archive.example/ubuntu noble",
      "http://archive.example/ubuntu noble-updates",
      "http://security.example/ubuntu noble-security",
    ]);
    expect(found[0]).toMatchObject({ components: ["main", "universe"], keyrings: [UBUNTU] });
  });

  it("of vendors is left out, however they name their suites", () => {
    const vendors = `deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor.example/linux bookworm main
deb http://pg.example/apt bookworm-pgdg main
deb http://node.example nodistro main
`;
    const inline = `Types: deb
URIs: http://inline.example/linux
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit2ioBEADh
 -----END PGP PUBLIC KEY BLOCK-----
`;
    const files = {
      ...bookworm,
      "etc/apt/sources.list": "deb http://mirror.example/debian bookworm main\n",
      "etc/apt/sources.list.d/vendors.list": vendors,
      "etc/apt/sources.list.d/inline.sources": inline,
      "etc/apt/sources.list.d/old.list.save": "deb http://old.example/debian bookworm main\n",
    };
    expect(suites(sources(files))).toEqual(["http://mirror.example/debian bookworm"]);
  });

  it("of a mirror that signs anew is used when there is no other", () => {
    const list = "deb [signed-by=/etc/apt/keyrings/office.gpg] http://office.example/debian bookworm main\n";
    expect(sources({ ...bookworm, "etc/apt/sources.list": list })).toMatchObject([
      { uri: "http://office.example/debian", keyrings: ["/etc/apt/keyrings/office.gpg"] },
    ]);
  });

  it("that names nothing fit is MIRROR_UNKNOWN", () => {
    for (const files of [{}, bookworm, { ...bookworm, "etc/apt/sources.list": "deb http://x.example ./\n" }])
      expect(() => sources(files)).toThrow(expect.objectContaining({ code: "MIRROR_UNKNOWN" }));
  });
});

describe("the config", () => {
  const list = { ...bookworm, "etc/apt/sources.list": "deb http://mirror.example/debian bookworm main\n" };

  it("overrides the host", () => {
    const config = {
      mirror: "http://config.example/debian/",
      suite: "trixie",
      components: ["main", "contrib"],
      keyring: "keys/mine.gpg",
      security: "http://security.example/debian-security/",
    };
    expect(sources(list, config)).toEqual([
      {
        uri: "http://config.example/debian",
        suite: "trixie",
        components: ["main", "contrib"],
        keyrings: ["/project/keys/mine.gpg"],
      },
      {
        uri: "http://security.example/debian-security",
        suite: "trixie-security",
        components: ["main", "contrib"],
        keyrings: ["/project/keys/mine.gpg"],
      },
    ]);
  });

  it("asks for the suite where it names a mirror", () => {
    expect(() => sources(list, { mirror: "http://config.example/debian" })).toThrow(
      expect.objectContaining({ code: "MIRROR_UNKNOWN", hint: expect.stringContaining("suite") }),
    );
  });

  it("may name another release: it comes from the mirror that the host uses", () => {
    expect(suites(sources(list, { suite: "trixie" }))).toEqual(["http://mirror.example/debian trixie"]);
  });

  it("may name a time of a snapshot service", () => {
    const config = {
      mirror: "http://snapshot.example/archive/debian",
      suite: "bookworm",
      snapshot: "20260101T000000Z",
    };
    expect(suites(sources({}, config))).toEqual(["http://snapshot.example/archive/debian/20260101T000000Z bookworm"]);
  });

  it("may name only the keyring", () => {
    expect(sources(list, { keyring: "/k.gpg" })).toMatchObject([
      { uri: "http://mirror.example/debian", keyrings: ["/k.gpg"] },
    ]);
  });
});

it("parsers take whatever stands in such files", () => {
  expect(parseOneLine("deb\ndeb [x\ndeb http://a\n\u0000")).toEqual([]);
  expect(parseDeb822("Types: deb\n\n:\nURIs")).toEqual([]);
  expect(parseOneLine(`deb [signed-by=/a.gpg,/b.gpg arch=amd64] http://h s c1 c2`)).toEqual([
    { uri: "http://h", suite: "s", components: ["c1", "c2"], keyrings: ["/a.gpg", "/b.gpg"] },
  ]);
});
