import { spawnSync } from "node:child_process";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { bzImage } from "../../test/support/bz-image.ts";
import { needProgram } from "../../test/support/need-program.ts";
import { isBootwrightError } from "../base/errors.ts";
import { sourceOfBytes } from "./byte-source.ts";
import { readKernelPayload } from "./vmlinux.ts";

const ELF = Buffer.concat([Buffer.from("\x7fELF", "latin1"), Buffer.alloc(20_000, "kernel")]);
const packed = (program: "xz" | "lz4", args: readonly string[]): Buffer =>
  spawnSync(needProgram(program, program === "xz" ? "xz-utils" : "lz4"), args, { input: ELF }).stdout;
/** The unpacked size stands behind all but gzip's. */
const sized = (bytes: Buffer): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(ELF.length);
  return Buffer.concat([bytes, size]);
};

it.each([
  ["gzip", () => gzipSync(ELF)],
  ["zstd", () => sized(zstdCompressSync(ELF))],
  ["lz4", () => sized(packed("lz4", ["-l", "-9", "-c", "-"]))],
  ["nothing", () => ELF],
])("unpacks a kernel that is packed with %s", async (_, payload) => {
  const { format, bytes } = await readKernelPayload(sourceOfBytes(bzImage(payload())));
  expect([format, Buffer.compare(bytes, ELF)]).toEqual(["elf", 0]);
});

it("leaves what is packed with xz to the program, whole and without the size behind it", async () => {
  const bytes = packed("xz", ["--check=crc32", "--x86", "--lzma2=preset=1", "--stdout"]);
  const payload = await readKernelPayload(sourceOfBytes(bzImage(sized(bytes))));
  expect([payload.format, Buffer.compare(payload.bytes, bytes)]).toEqual(["xz", 0]);
});

it("says what it cannot unpack, and what is no kernel", async () => {
  const read = (bytes: Buffer) => readKernelPayload(sourceOfBytes(bytes));
  await expect(read(bzImage(Buffer.from("BZh91AY&SY")))).rejects.toMatchObject({ code: "UNSUPPORTED" });
  await expect(read(bzImage(gzipSync(Buffer.from("no ELF"))))).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  await expect(read(Buffer.alloc(4096))).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  const whole = bzImage(gzipSync(ELF));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), async (length, at, value) => {
      const bytes = Buffer.from(whole.subarray(0, length));
      if (at < length) bytes[at] = value;
      await read(bytes).catch((error: unknown) => expect(isBootwrightError(error)).toBe(true));
    }),
  );
});
