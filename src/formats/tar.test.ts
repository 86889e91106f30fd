import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { concatBytes } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileContent, FileTree, TreeEntry } from "./filetree.ts";
import { encodePax, parsePax } from "./pax.ts";
import { checksums } from "./tar-header.ts";
import { readTar, type TarMember, type TarReadOptions } from "./tar-reader.ts";
import { encodeTar } from "./tar-writer.ts";

const blobs = new Map<string, Uint8Array>();
const content = (bytes: Uint8Array | string): FileContent => {
  const digest = digestOf(bytes);
  blobs.set(digest.hash, Buffer.from(bytes));
  return digest;
};
const read = (wanted: FileContent) => [blobs.get(wanted.hash)!];
const own = { uid: 0, gid: 0 };
const file = (path: string, text: Uint8Array | string, more: object = {}): TreeEntry =>
  ({ type: "file", path, mode: 0o644, ...own, content: content(text), ...more }) as TreeEntry;
const encode = (tree: FileTree) => concatBytes([...encodeTar(tree, { read, mtime: 1 })]);

type Found = Omit<TarMember, "content"> & { readonly data: string };

async function readAll(bytes: Uint8Array, options: TarReadOptions & { step?: number } = {}): Promise<Found[]> {
  const step = options.step ?? (bytes.length || 1);
  const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
    bytes.subarray(i * step, (i + 1) * step),
  );
  const found: Found[] = [];
  for await (const { content: data, ...member } of readTar(chunks, options)) {
    const parts: Uint8Array[] = [];
    for await (const chunk of data()) parts.push(chunk);
    found.push({ ...member, data: concatBytes(parts).toString("latin1") });
  }
  return found;
}

const binary = Uint8Array.from([1, 0, 0, 2, 10, 61, 255, 0]);
const sample: FileTree = [
  { type: "directory", path: "", mode: 0o755, ...own },
  { type: "directory", path: "dev", mode: 0o755, ...own },
  { type: "char", path: "dev/console", mode: 0o600, ...own, major: 5, minor: 1 },
  { type: "fifo", path: "dev/pipe", mode: 0o600, ...own },
  file("hard-a", "shared", { link: 1 }),
  file("hard-b", "shared", { link: 1 }),
  { type: "symlink", path: "link", mode: 0o777, ...own, target: "x".repeat(150) },
  file(`${"long/".repeat(30)}${"n".repeat(120)}`, "deep"),
  file(`${"d".repeat(90)}/${"e".repeat(90)}`, "split"),
  file("owned", "who", { uid: 3_000_000, gid: 4_294_967_294, mode: 0o4755, mtime: 77 }),
  file("ping", "cap", {
    xattrs: [
      { name: "security.capability", value: binary },
      { name: "user.x", value: Buffer.from("y") },
    ],
  }),
  file("ünï", ""),
];

describe("encodeTar and readTar", () => {
  it("give back the tree, whatever the chunks", async () => {
    const bytes = encode(sample);
    for (const step of [1, 511, 512, 70_000]) {
      const found = await readAll(bytes, { step });
      expect(found.map((member) => member.path)).toEqual(sample.map((entry) => entry.path));
      const by = new Map(found.map((member) => [member.path, member]));
      expect(by.get("hard-b")).toMatchObject({ type: "hardlink", target: "hard-a", size: 0 });
      expect(by.get("owned")).toMatchObject({
        uid: 3_000_000,
        gid: 4_294_967_294,
        mode: 0o4755,
        mtime: 77,
        data: "who",
      });
      expect(by.get("link")!.target).toBe("x".repeat(150));
      expect(by.get("dev/console")).toMatchObject({ type: "char", major: 5, minor: 1 });
      expect(by.get("ping")!.xattrs.map(({ name, value }) => [name, [...value]])).toEqual([
        ["security.capability", [...binary]],
        ["user.x", [121]],
      ]);
      for (const member of found)
        expect(bytes.toString("latin1", member.offset!, member.offset! + member.size)).toBe(member.data);
    }
  });

  it("give the same bytes twice, and no pax record where ustar is enough", () => {
    expect(encode(sample).equals(encode(sample))).toBe(true);
    expect(encode([file("a", "x")]).length).toBe(4 * 512);
  });

  it("skip contents that nobody reads", async () => {
    const paths: string[] = [];
    for await (const member of readTar([encode(sample)])) paths.push(member.path);
    expect(paths).toHaveLength(sample.length);
  });

  it("refuse what tar cannot hold", () => {
    expect(() => encode([{ type: "socket", path: "s", mode: 0, ...own }])).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED" }),
    );
    expect(() => encode([{ type: "char", path: "c", mode: 0, ...own, major: 1 << 22, minor: 0 }])).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
    expect(() => [...encodeTar([file("a", "12345")], { read: () => [Buffer.alloc(4)], mtime: 0 })]).toThrow(
      "wrote 4 of 5",
    );
  });

  it("give back arbitrary pax records", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.stringMatching(/^[a-z.]{1,12}$/), fc.uint8Array({ maxLength: 120 }))),
        (records) => {
          const list = records.map(([key, value]) => ({ key, value }));
          expect(parsePax(encodePax(list)).map(({ key, value }) => [key, [...value]])).toEqual(
            records.map(([k, v]) => [k, [...v]]),
          );
        },
      ),
    );
  });
});

describe("readTar on hostile input", () => {
  const bytes = encode(sample);
  const survives = async (input: Uint8Array) => {
    try {
      await readAll(input, { maxSparseSize: 1024 * 1024 });
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(BootwrightError);
      return false;
    }
  };

  it("never accepts an archive that is cut off", async () => {
    for (let length = 0; length < bytes.length - 1024; length += 37)
      expect(await survives(bytes.subarray(0, length))).toBe(false);
  });

  it("survives random and changed bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 1500 }), async (input) => void (await survives(input))),
    );
    const change = fc.tuple(fc.nat(bytes.length / 512 - 1), fc.nat(511), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(change, async ([block, at, value]) => {
        const copy = Buffer.from(bytes);
        copy[block * 512 + at] = value;
        mend(copy, block * 512); // So that the damage gets past the checksum.
        await survives(copy);
      }),
      { numRuns: 500 },
    );
  });

  const patched = (patch: (header: Buffer) => void, entry = file("victim", "x")) => {
    const copy = Buffer.from(encode([entry]));
    patch(copy);
    mend(copy, 0);
    return readAll(copy);
  };

  it("refuses names that leave the tree", async () => {
    const unsafe = expect.objectContaining({ code: "PATH_UNSAFE" });
    for (const name of ["../etc/passwd", "a/../../b", "/etc/passwd"])
      await expect(patched((header) => header.fill(0, 0, 100).write(name, 0))).rejects.toThrow(unsafe);
    await expect(readAll(encode([file("n".repeat(300), "")]))).rejects.toThrow(unsafe);
    const link = (header: Buffer) => header.fill(0, 157, 257).write("../../etc/passwd", 157) && header.write("1", 156);
    await expect(patched(link, file("victim", ""))).rejects.toThrow(unsafe);
    await expect(readAll(encode([file("a", "1"), file("a", "2")]))).rejects.toThrow(unsafe);
    expect(await readAll(encode([file("a", "1"), file("a", "2")]), { duplicates: true })).toHaveLength(2);
  });

  it("refuses huge sizes without allocating them", async () => {
    await expect(patched((header) => header.write("77777777777", 124))).rejects.toThrow(/but the data ends/);
    const pax = (header: Buffer) => header.write("x", 156) && header.write("77777777777", 124);
    await expect(patched(pax)).rejects.toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
    const base256 = (header: Buffer) => header.fill(0xff, 124, 136).fill(0x80, 124, 125);
    await expect(patched(base256)).rejects.toThrow(/below 2\^53/);
    await expect(patched((header) => header.write("Q", 156))).rejects.toThrow(
      expect.objectContaining({ code: "UNSUPPORTED" }),
    );
  });

  it("refuses a wrong checksum", async () => {
    const copy = Buffer.from(bytes);
    copy[0]! ^= 1;
    await expect(readAll(copy)).rejects.toThrow(/right checksum/);
  });
});

describe("GNU tar", () => {
  let dir: string;
  let tar: string;
  beforeAll(() => {
    tar = needProgram("tar", "tar");
    dir = mkdtempSync(join(tmpdir(), "tar-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it("reads what we write", () => {
    const ordinary = sample.filter((entry) => entry.type !== "char");
    const input = encode(ordinary);
    const listing = execFileSync(tar, ["--numeric-owner", "-tvf", "-"], {
      input,
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC" },
    });
    expect(listing).toContain("-rwsr-xr-x 3000000/4294967294 3 1970-01-01 00:01 owned");
    expect(listing).toContain("hard-b link to hard-a");
    expect(listing.trimEnd().split("\n")).toHaveLength(ordinary.length);
    const out = join(dir, "out");
    mkdirSync(out);
    execFileSync(tar, ["--no-same-owner", "-xf", "-", "-C", out], { input });
    expect(readFileSync(join(out, "long/".repeat(30), "n".repeat(120)), "utf8")).toBe("deep");
    expect(statSync(join(out, "hard-a")).ino).toBe(statSync(join(out, "hard-b")).ino);
  });

  it.each(["v7", "oldgnu", "gnu", "ustar", "pax"])("writes %s, which we read", async (format) => {
    const from = join(dir, `from-${format}`);
    mkdirSync(join(from, "sub"), { recursive: true });
    writeFileSync(join(from, "sub/a"), "content a");
    linkSync(join(from, "sub/a"), join(from, "sub/b"));
    symlinkSync("a", join(from, "sub/link"));
    const long = `sub/${"l".repeat(format === "v7" ? 60 : format === "ustar" ? 99 : 200)}`;
    writeFileSync(join(from, long), "long");
    const names = ["sub/a", "sub/b", "sub/link", long];
    const archive = execFileSync(tar, [
      "-cf",
      "-",
      `--format=${format}`,
      "-C",
      from,
      "--no-recursion",
      "sub",
      ...names,
    ]);
    const found = await readAll(archive);
    expect(found.map((member) => [member.path, member.type, member.target, member.data])).toEqual([
      ["sub", "directory", "", ""],
      ["sub/a", "file", "", "content a"],
      ["sub/b", "hardlink", "sub/a", ""],
      ["sub/link", "symlink", "a", ""],
      [long, "file", "", "long"],
    ]);
  });

  it.each([
    ["--format=gnu"],
    ["--format=pax", "--sparse-version=0.0"],
    ["--format=pax", "--sparse-version=0.1"],
    ["--format=pax", "--sparse-version=1.0"],
  ])("writes sparse files with %s %s, which we expand", async (...flags) => {
    const path = join(dir, "sparse");
    const fd = openSync(path, "w");
    for (let i = 0; i < 40; i++) writeSync(fd, `fragment ${i}`, i * 64 * 1024);
    ftruncateSync(fd, 3 * 1024 * 1024 + 7);
    closeSync(fd);
    writeFileSync(join(dir, "after"), "after");
    const archive = execFileSync(
      tar,
      ["-cSf", "-", ...flags.filter((flag) => flag !== undefined), "-C", dir, "sparse", "after"],
      { maxBuffer: 1e8 },
    );
    expect(archive.length).toBeLessThan(1024 * 1024);
    const [sparse, after] = await readAll(archive);
    expect(sparse!.path).toBe("sparse");
    expect(sparse!.offset).toBeUndefined();
    expect(sparse!.data === readFileSync(path, "latin1")).toBe(true);
    expect(sparse!.size).toBe(3 * 1024 * 1024 + 7);
    expect(after).toMatchObject({ path: "after", data: "after" });
    await expect(readAll(archive, { maxSparseSize: 1024 })).rejects.toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
  });
});

function mend(bytes: Buffer, at: number): void {
  const [sum] = checksums(bytes.subarray(at, at + 512));
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
}
