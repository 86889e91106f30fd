import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import { BlobMissing, Blobs, hashFile } from "./blobs.ts";

const fresh = () => new Blobs(tempDir());
const stored = (blobs: Blobs) => [...blobs.list()].map(({ hash }) => hash);
const leftovers = (blobs: Blobs) => fs.readdirSync(path.join(blobs.root, "../tmp"));
const bytes = Buffer.from("some bytes");
async function* stream(...chunks: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk;
    yield Buffer.from(chunk);
  }
}

describe("writing", () => {
  it("gives the same digest by every way, and stores once", async () => {
    const blobs = fresh();
    const aside = blobs.temporary();
    fs.writeFileSync(aside, bytes);
    const digests = [
      blobs.put(bytes),
      blobs.put("some bytes"),
      await blobs.putStream(stream("some ", "", "bytes")),
      blobs.putSync([bytes.subarray(0, 3), bytes.subarray(3)]),
      blobs.putSparse([{ offset: 0, bytes }], bytes.length),
      blobs.adopt(aside),
    ];
    expect(digests).toEqual(Array(6).fill(digestOf(bytes)));
    expect(stored(blobs)).toEqual([digestOf(bytes).hash]);
    expect(leftovers(blobs)).toEqual([]);
  });

  it("makes files that nobody can write to by accident", () => {
    const blobs = fresh();
    const { hash } = blobs.put(bytes);
    expect(fs.statSync(blobs.path(hash)).mode & 0o777).toBe(0o444);
    const aside = blobs.temporary();
    fs.writeFileSync(aside, "program's output", { mode: 0o755 });
    expect(fs.statSync(blobs.path(blobs.adopt(aside).hash)).mode & 0o777).toBe(0o444);
  });

  it("an interrupted stream leaves nothing", async () => {
    const blobs = fresh();
    await expect(blobs.putStream(stream("half", new Error("connection lost")))).rejects.toThrow("connection lost");
    expect(() => blobs.putSync(throwing())).toThrow("generator broke");
    expect(() => blobs.putSparse(throwingWrites(), 10)).toThrow("generator broke");
    expect([stored(blobs), leftovers(blobs)]).toEqual([[], []]);
  });

  it.each([
    ["other bytes", "other byte"],
    ["fewer", "some"],
    ["more", "some bytes and more"],
  ])("a stream of %s than expected is refused before it has a name", async (_, text) => {
    const blobs = fresh();
    const expected = digestOf(bytes);
    await expect(blobs.putStream(stream(text), { expected, what: "kernel.deb" })).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
      exit: 7,
      message: expect.stringMatching(/^kernel\.deb: got sha256:[0-9a-f]{64} \(\d+ bytes\), want sha256:/),
    });
    expect([stored(blobs), leftovers(blobs)]).toEqual([[], []]);
  });

  it("keeps holes as holes", () => {
    const blobs = fresh();
    const size = 64 * 1024 * 1024;
    const digest = blobs.putSparse([{ offset: size - 3, bytes: Buffer.from("end") }], size);
    const stat = fs.statSync(blobs.path(digest.hash));
    expect(stat.size).toBe(size);
    expect(stat.blocks * 512).toBeLessThan(1024 * 1024);
    expect([...blobs.read(digest, { offset: size - 6 })].join("")).toBe("\0\0\0end");
  });

  it("has the digest of the whole, whatever the order of the writes", () => {
    const blobs = fresh();
    const [a, b] = [
      { offset: 10, bytes: Buffer.from("first") },
      { offset: 3_000_000, bytes: Buffer.from("second") },
    ];
    const whole = Buffer.alloc(5_000_000);
    for (const { offset, bytes } of [a, b]) bytes.copy(whole, offset);
    const [rising, falling] = [blobs.putSparse([a, b], whole.length), blobs.putSparse([b, a], whole.length)];
    expect(rising).toEqual({ hash: digestOf(whole).hash, size: whole.length });
    expect(falling).toEqual(rising);
    expect(fs.statSync(blobs.path(rising.hash)).mode & 0o777).toBe(0o444);
    // Over the end: what the file then is.
    expect(blobs.putSparse([{ offset: 2, bytes: Buffer.from("xy") }], 3)).toEqual({
      hash: digestOf("\0\0xy").hash,
      size: 4,
    });
  });

  it("a store that cannot be written is ACCESS_DENIED, exit code 6", () => {
    // Not even root makes directories there.
    expect(() => new Blobs("/sys/bootwright")).toThrow(expect.objectContaining({ code: "ACCESS_DENIED", exit: 6 }));
    expect(() => new Blobs("/sys/bootwright", { readonly: true })).not.toThrow();
  });

  it("a directory in the way is an I/O error with the operation and the path", async () => {
    const blobs = fresh();
    fs.mkdirSync(path.dirname(blobs.root), { recursive: true });
    fs.writeFileSync(blobs.root, "");
    expect(() => blobs.put(bytes)).toThrow(expect.objectContaining({ code: "IO", exit: 6 }));
    await expect(blobs.putStream(stream("x"))).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot write to the store .*blobs/),
    });
    expect(leftovers(blobs)).toEqual([]);
  });
});

describe("reading", () => {
  it("gives any range in chunks", () => {
    const blobs = fresh();
    const data = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));
    const digest = blobs.put(data);
    fc.assert(
      fc.property(fc.nat(data.length), fc.nat(data.length), (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expect(
          Buffer.concat([...blobs.read(digest, { offset: from, length: to - from })]).equals(data.subarray(from, to)),
        ).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("a blob of the wrong size counts as missing", () => {
    const blobs = fresh();
    const digest = blobs.put(bytes);
    fs.chmodSync(blobs.path(digest.hash), 0o644);
    fs.truncateSync(blobs.path(digest.hash), 4);
    expect(blobs.has(digest)).toBe(false);
    expect(() => blobs.readAll(digest)).toThrow(BlobMissing);
    expect(() => [...blobs.read(digest)]).toThrow(BlobMissing);
    expect(blobs.put(bytes)).toEqual(digest);
    expect(blobs.readAll(digest)).toEqual(bytes);
  });

  it("a blob that is not there is BLOB_DAMAGED and tells its digest", () => {
    const blobs = fresh();
    const missing = expect.objectContaining({ code: "BLOB_DAMAGED", hash: digestOf("x").hash });
    expect(blobs.has(digestOf("x"))).toBe(false);
    expect(() => blobs.readAll(digestOf("x"))).toThrow(missing);
    expect(() => [...blobs.read(digestOf("x"))]).toThrow(missing);
    expect(() => blobs.open(digestOf("x").hash)).toThrow(missing);
  });

  it("putting what is there renews its time, which keeps it from being collected", () => {
    const blobs = fresh();
    const { hash } = blobs.put(bytes);
    fs.utimesSync(blobs.path(hash), 1, 1);
    blobs.put(bytes);
    expect(Date.now() - fs.statSync(blobs.path(hash)).mtimeMs).toBeLessThan(60_000);
  });
});

it("hashFile reads a file of any size, and says which one it cannot read", () => {
  const file = path.join(tempDir(), "file");
  const data = Buffer.alloc(2_500_000, 7);
  fs.writeFileSync(file, data);
  expect(hashFile(file)).toEqual(digestOf(data));
  expect(() => hashFile(`${file}.gone`)).toThrow(
    expect.objectContaining({ code: "IO", message: expect.stringContaining("file.gone") }),
  );
});

function* throwing(): Generator<Uint8Array> {
  yield bytes;
  throw new Error("generator broke");
}

function* throwingWrites(): Generator<{ offset: number; bytes: Uint8Array }> {
  yield { offset: 2, bytes };
  throw new Error("generator broke");
}
