import fs from "node:fs";
import { afterAll, describe, expect, it, vi } from "vitest";
import {
  debianArchive,
  type FakeArchive,
  type FakePackage,
  SUITE,
  signingKey,
} from "../../test/support/debian-archive.ts";
import { type FaultyServer, faultyServer } from "../../test/support/faulty-server.ts";
import { tempStore } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import { silent } from "../base/events.ts";
import { closeConnections } from "../base/http.ts";
import { runStages } from "../stage/scheduler.ts";
import type { Store } from "../store/store.ts";
import type { AptSource } from "./apt-config.ts";
import { type DebianArchive, openArchive } from "./debian-archive.ts";
import { explainGone, fetchPackage, PackageGone } from "./fetch.ts";
import { Resolver } from "./resolver.ts";

vi.stubEnv("no_proxy", "127.0.0.1,localhost");
afterAll(closeConnections);

const signal = new AbortController().signal;
const open = (sources: readonly AptSource[], store: Store = tempStore()): Promise<DebianArchive> =>
  openArchive({ store, sources, arch: "amd64", emit: silent, signal });
const openPackages = (...packages: FakePackage[]) => open([debianArchive({ packages }).source]);
const names = (stanzas: readonly ReadonlyMap<string, string>[]) => stanzas.map((stanza) => stanza.get("package"));

/** The archive's files behind HTTP. */
function serve(archive: FakeArchive): Promise<FaultyServer> {
  const files: Record<string, Buffer> = {};
  for (const name of fs.readdirSync(archive.dir, { recursive: true, encoding: "utf8" }))
    if (fs.statSync(archive.file(name)).isFile()) files[`/${name}`] = fs.readFileSync(archive.file(name));
  return faultyServer({ files });
}

function edit(archive: FakeArchive, name: string, change: (text: string) => string): void {
  fs.writeFileSync(archive.file(name), change(fs.readFileSync(archive.file(name), "utf8")));
}

describe("an archive is trusted only when", () => {
  const packages = [{ name: "hello" }];
  const inRelease = `dists/${SUITE}/InRelease`;

  it("its InRelease is signed by the keyring's key", async () => {
    expect((await open([debianArchive({ packages }).source])).get("hello").get("version")).toBe("1.0");
  });

  it("the signed text is as it was signed", async () => {
    const archive = debianArchive({ packages });
    edit(archive, inRelease, (text) => text.replace("Suite: testing", "Suite: tampered"));
    await expect(open([archive.source])).rejects.toMatchObject({ code: "SIGNATURE_INVALID", exit: 7 });
  });

  it("nothing is read that stands outside of the signature", async () => {
    const archive = debianArchive({ packages });
    const forged = digestOf("Package: evil\nVersion: 9\nArchitecture: amd64\n");
    edit(
      archive,
      inRelease,
      (text) => `SHA256:\n ${forged.hash} ${forged.size} main/binary-amd64/Packages.gz\n\n${text}`,
    );
    await expect(open([archive.source])).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it("it is one message: what a stranger has signed cannot be hung on", async () => {
    const [ours, strangers] = [debianArchive({ packages }), debianArchive({ packages: [{ name: "evil" }] })];
    const foreign = fs.readFileSync(strangers.file(inRelease), "utf8");
    const own = fs.readFileSync(ours.file(inRelease), "utf8");
    for (const text of [own + foreign, foreign + own]) {
      edit(ours, inRelease, () => text);
      await expect(open([ours.source])).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    }
  });

  it("it is signed at all", async () => {
    const archive = debianArchive({ packages });
    edit(archive, inRelease, () => "Suite: testing\nSHA256:\n");
    await expect(open([archive.source])).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it("the key is one of ours", async () => {
    const { source } = debianArchive({ packages });
    await expect(open([{ ...source, keyrings: [signingKey().keyring] }])).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      detail: expect.stringContaining("No public key"),
    });
  });

  it("one key of several is known: an archive signs with next year's key, too", async () => {
    const { source } = debianArchive({ packages, signers: [signingKey(), signingKey()] });
    expect((await open([source])).find("hello")).toBeDefined();
  });

  it("there is a keyring", async () => {
    const { source } = debianArchive({ packages });
    await expect(open([{ ...source, keyrings: ["/no/such/keyring.gpg"] }])).rejects.toMatchObject({
      code: "HOST_TOOL_MISSING",
    });
  });

  it("it has not expired", async () => {
    const release = ["Valid-Until: Sat, 10 Jan 2015 10:00:00 UTC"];
    await expect(open([debianArchive({ packages, release }).source])).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      message: expect.stringContaining("expired on Sat, 10 Jan 2015"),
    });
    const later = ["Valid-Until: Sat, 10 Jan 2995 10:00:00 UTC"];
    expect((await open([debianArchive({ packages, release: later }).source])).find("hello")).toBeDefined();
  });

  it.each<[asked: string, suite: string | undefined, codename: string | undefined]>([
    ["stable", "stable", "bookworm"],
    ["bookworm", "oldstable", "bookworm"],
    ["bookworm-security", "oldstable-security", "bookworm-security"],
    ["bookworm-updates", "oldstable-updates", "bookworm-updates"],
    ["buster/updates", "oldstable", "buster"],
    ["noble", "noble", "noble"],
    ["noble-security", "noble-security", "noble"],
    ["sid", undefined, "sid"],
  ])("it is of the suite: %s is Suite %s, Codename %s", async (suite, signedSuite, codename) => {
    const signed = { ...(signedSuite && { suite: signedSuite }), ...(codename && { codename }) };
    expect((await open([debianArchive({ packages, suite, signed }).source])).find("hello")).toBeDefined();
  });

  it.each<[asked: string, suite: string | undefined, codename: string | undefined, said: string]>([
    ["bookworm", "oldoldstable", "bullseye", "Suite oldoldstable, Codename bullseye"],
    ["stable", "oldstable", "bookworm", "Suite oldstable, Codename bookworm"],
    ["bookworm-security", "oldstable", "bookworm", "Suite oldstable, Codename bookworm"],
    ["bookworm", "oldstable-security", "bookworm-security", "Suite oldstable-security, Codename bookworm-security"],
    ["noble", "noble-proposed", "noble", "Suite noble-proposed, Codename noble"],
    ["bookworm", undefined, undefined, "of no named suite"],
  ])("it is not of another suite: %s is not Suite %s, Codename %s", async (suite, signedSuite, codename, said) => {
    const signed = { ...(signedSuite && { suite: signedSuite }), ...(codename && { codename }) };
    await expect(open([debianArchive({ packages, suite, signed }).source])).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      message: expect.stringContaining(`asked for ${suite}, but what is signed is ${said}`),
    });
  });

  it.each(["", ".gz"] as const)("its Packages%s has the digest that InRelease says", async (suffix) => {
    const archive = debianArchive({ packages, compressions: [suffix] });
    fs.appendFileSync(archive.file(`dists/${SUITE}/main/binary-amd64/Packages${suffix}`), "Package: evil\n");
    await expect(open([archive.source])).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });
});

it("leaves nothing behind in the store's scratch space", async () => {
  const store = tempStore();
  await open([debianArchive({ packages: [{ name: "hello" }] }).source], store);
  expect(fs.readdirSync(`${store.dir}/tmp`)).toEqual([]);
});

it("fetches Packages once: the second time it is known by its digest", async () => {
  const archive = debianArchive({ packages: [{ name: "hello" }] });
  const server = await serve(archive);
  const store = tempStore();
  for (let i = 0; i < 2; i++) await open([archive.sourceAt(server.url)], store);
  expect(server.requests.map(({ path }) => path.replace(/.*\//, ""))).toEqual([
    "InRelease",
    "Packages.gz",
    "InRelease",
  ]);
});

it("takes the file by its digest where the archive offers that, else by its name", async () => {
  const archive = debianArchive({ packages: [{ name: "hello" }], release: ["Acquire-By-Hash: yes"] });
  const server = await serve(archive);
  await open([archive.sourceAt(server.url)]);
  expect(server.requests[1]!.path).toMatch(/\/by-hash\/SHA256\/[0-9a-f]{64}$/);
  expect(server.requests[2]!.path).toMatch(/\/Packages\.gz$/);
});

describe("packages", () => {
  it("come newest first, over all suites", async () => {
    const old = debianArchive({ packages: [{ name: "a", version: "1.9" }, { name: "b" }] });
    const fresh = debianArchive({ packages: [{ name: "a", version: "1.10" }] });
    const archive = await open([old.source, fresh.source]);
    expect(archive.get("a").get("version")).toBe("1.10");
    expect(archive.find("a", (stanza) => stanza.get("version") === "1.9")).toBeDefined();
  });

  it("of other architectures do not count; those for all do", async () => {
    const archive = await openPackages({ name: "foreign", arch: "arm64" }, { name: "any", arch: "all" });
    expect(archive.find("foreign")).toBeUndefined();
    expect(archive.find("any")).toBeDefined();
  });

  it("that are not there are unknown, with a suggestion", async () => {
    const archive = await openPackages({ name: "busybox-static" });
    expect(() => archive.get("busybox-statc")).toThrow(
      expect.objectContaining({
        code: "PACKAGE_UNKNOWN",
        message: expect.stringContaining('did you mean "busybox-static"'),
      }),
    );
  });
});

describe("closure", () => {
  it("follows what packages depend on, in circles, too", async () => {
    const archive = await openPackages(
      { name: "app", depends: "libc (>= 2), libx" },
      { name: "libc", version: "2.36" },
      { name: "libx", depends: "app" },
      { name: "unneeded" },
    );
    expect(names(archive.closure(["app"]))).toEqual(["app", "libc", "libx"]);
  });

  it("takes the first alternative that there is, unless another is chosen already", async () => {
    const packages: FakePackage[] = [
      { name: "app", depends: "gone | first | second" },
      { name: "first" },
      { name: "second" },
    ];
    expect(names((await openPackages(...packages)).closure(["app"]))).toEqual(["app", "first"]);
    expect(names((await openPackages(...packages)).closure(["second", "app"]))).toEqual(["app", "second"]);
  });

  it("takes a package that provides what no package is called", async () => {
    const archive = await openPackages({ name: "app", depends: "awk" }, { name: "mawk", provides: "awk, other (= 1)" });
    expect(names(archive.closure(["app"]))).toEqual(["app", "mawk"]);
  });

  it("keeps to versions, also when that means an older one", async () => {
    const old = debianArchive({ packages: [{ name: "lib", version: "1.5" }] });
    const fresh = debianArchive({
      packages: [
        { name: "lib", version: "2.0" },
        { name: "app", depends: "lib (<< 2)" },
      ],
    });
    const closure = (await open([old.source, fresh.source])).closure(["app"]);
    expect(closure.map((stanza) => `${stanza.get("package")} ${stanza.get("version")}`)).toEqual([
      "app 1.0",
      "lib 1.5",
    ]);
  });

  it("that cannot be had says who needs what", async () => {
    const archive = await openPackages({ name: "app", depends: "gone (>= 3) | nowhere" });
    expect(() => archive.closure(["app"])).toThrow(
      expect.objectContaining({
        code: "PACKAGE_UNKNOWN",
        message: expect.stringContaining("app depends on gone or nowhere"),
      }),
    );
  });
});

describe("Resolver", () => {
  const resolver = (archive: FakeArchive) =>
    new Resolver({ store: tempStore(), emit: silent, signal, aptSources: () => [archive.source] });

  it("pins packages by version, path, size and digest", async () => {
    const archive = debianArchive({ packages: [{ name: "hello", version: "2:1.0-1" }] });
    expect(await resolver(archive).resolve({ type: "debian-packages", packages: ["hello"], arch: "amd64" })).toEqual({
      type: "debian",
      packages: [
        {
          name: "hello",
          version: "2:1.0-1",
          arch: "amd64",
          path: "pool/main/hello_2%3a1.0-1_amd64.deb",
          size: 13,
          sha256: digestOf("hello 2:1.0-1").hash,
        },
      ],
    });
  });

  it("follows a meta package to the kernel, and takes modules that come apart", async () => {
    const archive = debianArchive({
      packages: [
        { name: "linux-image-cloud-amd64", depends: "linux-image-6.1.0-50-cloud-amd64 (= 6.1)" },
        { name: "linux-image-6.1.0-50-cloud-amd64", version: "6.1", depends: "kmod, linux-modules-6.1.0-50 | x" },
        { name: "linux-modules-6.1.0-50" },
        { name: "kmod" },
      ],
    });
    const pin = await resolver(archive).resolve({
      type: "debian-kernel",
      package: "linux-image-cloud-amd64",
      arch: "amd64",
    });
    expect(pin).toMatchObject({
      packages: [{ name: "linux-image-6.1.0-50-cloud-amd64" }, { name: "linux-modules-6.1.0-50" }],
    });
  });

  it("refuses a path that leaves the archive", async () => {
    const archive = debianArchive({ packages: [{ name: "../../../etc/x" }] });
    await expect(
      resolver(archive).resolve({ type: "debian-packages", packages: ["../../../etc/x"], arch: "amd64" }),
    ).rejects.toMatchObject({ code: "PATH_UNSAFE" });
  });
});

describe("a pinned package", () => {
  const pin = (version: string) => ({
    name: "hello",
    version,
    arch: "amd64",
    path: `pool/main/hello_${version}_amd64.deb`,
    size: `hello ${version}`.length,
    sha256: digestOf(`hello ${version}`).hash,
  });
  const fetch = (version: string, sources: readonly AptSource[], offline = false) => {
    const stage = fetchPackage(pin(version), { offline, aptSources: () => sources });
    return runStages([stage], { store: tempStore(), emit: silent, signal, project: "p" });
  };
  const hello = (version: string) => debianArchive({ packages: [{ name: "hello", version }] });

  it("is fetched from the first archive that has it", async () => {
    expect(await fetch("1.0", [hello("2.0").source, hello("1.0").source])).toMatchObject({ ran: 1 });
  });

  it("that is gone names the newer one, and how to take it", async () => {
    const archive = hello("1.1");
    const server = await serve(archive);
    for (const source of [archive.source, archive.sourceAt(server.url)]) {
      const gone = await fetch("1.0", [source]).catch((error: unknown) => error);
      expect(gone).toBeInstanceOf(PackageGone);
      const resolver = new Resolver({ store: tempStore(), emit: silent, signal, aptSources: () => [source] });
      expect(await explainGone(gone as PackageGone, resolver, "amd64")).toMatchObject({
        code: "PACKAGE_GONE",
        exit: 5,
        message: "the mirror no longer has hello 1.0; the archive now has 1.1",
        hint: "bootwright update hello",
      });
    }
  });

  it("whose bytes are others is refused", async () => {
    const archive = hello("1.0");
    fs.writeFileSync(archive.file("pool/main/hello_1.0_amd64.deb"), "hello 6.6");
    await expect(fetch("1.0", [archive.source])).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  it("is not fetched offline", async () => {
    await expect(fetch("1.0", [hello("1.0").source], true)).rejects.toMatchObject({ code: "OFFLINE", exit: 5 });
  });
});
