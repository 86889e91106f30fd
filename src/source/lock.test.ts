import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { BootwrightError } from "../base/errors.ts";
import {
  describePin,
  diffLocks,
  formatLock,
  type Lock,
  type LockEntry,
  loadLock,
  parseLock,
  writeLock,
} from "./lock.ts";

const sha256 = "ab".repeat(32);
const busybox = {
  name: "busybox-static",
  version: "1:1.35.0-4",
  arch: "amd64",
  path: "pool/main/b/busybox/busybox-static_1.35.0-4_amd64.deb",
  size: 1234,
  sha256,
};
const lock: Lock = {
  "git https://host.example/x.git v1": { type: "git", commit: "1".repeat(40) },
  "debian amd64 packages busybox-static": { type: "debian", packages: [busybox] },
  "file https://host.example/x.tar.xz": { type: "file", size: 5, sha256 },
};

const sha = fc.stringMatching(/^[0-9a-f]{64}$/);
const word = fc.stringMatching(/^[a-z0-9+.:~-]{1,20}$/);
const entry: fc.Arbitrary<LockEntry> = fc.oneof(
  fc.record({ type: fc.constant("file" as const), size: fc.nat(), sha256: sha }),
  fc.record({ type: fc.constant("git" as const), commit: fc.stringMatching(/^[0-9a-f]{40}$/) }),
  fc.record({
    type: fc.constant("debian" as const),
    packages: fc.array(
      fc.record({
        name: word,
        version: word,
        arch: word,
        path: word.map((w) => `pool/${w}x`),
        size: fc.nat(),
        sha256: sha,
      }),
      { maxLength: 3 },
    ),
  }),
);

describe("the lock file", () => {
  it("is sorted, and has one line a package", () => {
    expect(formatLock(lock)).toBe(`{
  "version": 1,
  "pins": {
    "debian amd64 packages busybox-static": {"type":"debian","packages":[
        ${JSON.stringify(busybox)}
    ]},
    "file https://host.example/x.tar.xz": {"type":"file","size":5,"sha256":"${sha256}"},
    "git https://host.example/x.git v1": {"type":"git","commit":"${"1".repeat(40)}"}
  }
}
`);
  });

  it("comes back as it was written", () => {
    fc.assert(
      fc.property(fc.dictionary(word, entry, { noNullPrototype: true }), (pins) => {
        expect(parseLock(formatLock(pins), "lock")).toEqual(pins);
      }),
    );
  });

  it("is written and read on the disk; none is an empty one", () => {
    const file = path.join(tempDir(), "bootwright.lock");
    expect(loadLock(file)).toEqual({});
    writeLock(file, lock);
    expect(loadLock(file)).toEqual(lock);
    expect(fs.readdirSync(path.dirname(file))).toEqual(["bootwright.lock"]);
  });
});

describe("parseLock", () => {
  const refuse = (text: string) => {
    try {
      parseLock(text, "my.lock");
    } catch (error) {
      expect(error).toBeInstanceOf(BootwrightError);
      expect(error).toMatchObject({ code: "LOCK_INVALID", exit: 2, location: { file: "my.lock" } });
      return (error as Error).message;
    }
    return "accepted";
  };

  it.each<[why: string, text: string, message: string]>([
    ["no JSON", "<<<<<<< HEAD", "my.lock: "],
    ["nothing", "", "my.lock: "],
    ["other JSON", "[]", "not a lock file"],
    ["a newer version", '{"version":2,"pins":{}}', "version 2 is not known"],
    ["an unknown pin", '{"version":1,"pins":{"x":{"type":"oci"}}}', 'the pin of "x" is damaged'],
  ])("refuses %s", (_, text, message) => {
    expect(refuse(text)).toContain(message);
  });

  it.each([
    { ...busybox, path: "../../etc/passwd" },
    { ...busybox, path: "/etc/passwd" },
    { ...busybox, path: "pool/../../x" },
    { ...busybox, size: -1 },
    { ...busybox, size: 1.5 },
    { ...busybox, sha256: "short" },
    { ...busybox, name: "a\nb" },
    { ...busybox, version: "" },
  ])("refuses a damaged package: %j", (bad) => {
    expect(refuse(formatLock({ x: { type: "debian", packages: [bad] } }))).toContain("damaged");
  });

  it("gives a lock or LOCK_INVALID, whatever the JSON", () => {
    const almost = fc.record({
      version: fc.constant(1),
      pins: fc.dictionary(
        fc.string(),
        fc.oneof(
          entry,
          fc.json().map((t) => JSON.parse(t)),
        ),
      ),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          almost.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          try {
            parseLock(text, "lock");
          } catch (error) {
            expect(error).toMatchObject({ code: "LOCK_INVALID" });
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(refuse("[".repeat(200_000))).toContain("my.lock");
  });
});

describe("diffLocks", () => {
  it("says what came, went and changed", () => {
    const newer: LockEntry = { type: "debian", packages: [{ ...busybox, version: "1:1.36.1-9" }] };
    const { "git https://host.example/x.git v1": _, ...rest } = lock;
    const after: Lock = {
      ...rest,
      "debian amd64 packages busybox-static": newer,
      "file new": { type: "file", size: 1, sha256 },
    };
    expect(diffLocks(lock, after)).toEqual([
      {
        request: "debian amd64 packages busybox-static",
        before: "busybox-static 1:1.35.0-4",
        after: "busybox-static 1:1.36.1-9",
      },
      { request: "file new", after: "sha256:abababababab" },
      { request: "git https://host.example/x.git v1", before: "commit 111111111111" },
    ]);
    expect(diffLocks(lock, { ...lock })).toEqual([]);
  });

  it("names all packages of a pin, and none", () => {
    expect(describePin({ type: "debian", packages: [busybox, { ...busybox, name: "libc6" }] })).toBe(
      "busybox-static 1:1.35.0-4, libc6 1:1.35.0-4",
    );
    expect(describePin({ type: "debian", packages: [] })).toBe("nothing");
  });
});
