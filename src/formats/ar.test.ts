import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { concatBytes } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { encodeAr, type NewArMember, readAr } from "./ar.ts";

const sample: NewArMember[] = [
  { name: "debian-binary", content: Buffer.from("2.0\n") },
  { name: "control.tar.xz", content: Buffer.from("odd") },
  { name: "data.tar.xz", content: Buffer.alloc(1000, 3) },
];
const encode = (members: NewArMember[]) => concatBytes([...encodeAr(members)]);

async function members(bytes: Uint8Array, step = bytes.length || 1) {
  const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
    bytes.subarray(i * step, (i + 1) * step),
  );
  const found: { name: string; offset: number; content: string }[] = [];
  for await (const member of readAr(chunks)) {
    const parts: Uint8Array[] = [];
    for await (const chunk of member.content()) parts.push(chunk);
    found.push({ name: member.name, offset: member.offset, content: concatBytes(parts).toString("latin1") });
  }
  return found;
}

describe("ar", () => {
  it("gives back members and their offsets, whatever the chunks", async () => {
    const bytes = encode(sample);
    for (const step of [1, 7, 60, 4096]) {
      const found = await members(bytes, step);
      expect(found.map((member) => member.name)).toEqual(sample.map((member) => member.name));
      for (const [i, { offset, content }] of found.entries()) {
        expect(content).toBe(Buffer.from(sample[i]!.content).toString("latin1"));
        expect(bytes.toString("latin1", offset, offset + content.length)).toBe(content);
      }
    }
  });

  it("skips contents that nobody reads", async () => {
    const names: string[] = [];
    for await (const member of readAr([encode(sample)])) names.push(member.name);
    expect(names).toHaveLength(3);
  });

  it("throws coded errors for what is cut, changed or random", async () => {
    const bytes = encode(sample);
    const survives = async (input: Uint8Array) => {
      try {
        await members(input);
      } catch (error) {
        expect(error).toBeInstanceOf(BootwrightError);
      }
    };
    for (let length = 0; length < bytes.length; length += length < 300 ? 1 : 53)
      await survives(bytes.subarray(0, length));
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), survives));
    await fc.assert(
      fc.asyncProperty(fc.nat(200), fc.nat(255), async (at, value) => {
        const copy = Buffer.from(bytes);
        copy[at] = value;
        await survives(copy);
      }),
    );
    await expect(
      members(Buffer.from(bytes.toString("latin1").replace("1000 ", "9999999999").slice(0, 900))),
    ).rejects.toThrow();
  });

  it("refuses names that are no plain names", async () => {
    for (const name of ["/etc/passwd", "#1/20", "//"])
      await expect(
        members(
          Buffer.from(encode(sample).toString("latin1").replace("debian-binary".padEnd(16), name.padEnd(16)), "latin1"),
        ),
      ).rejects.toThrow(BootwrightError);
    expect(() => encode([{ name: "a-name-of-17-chars", content: Buffer.alloc(0) }])).toThrow(BootwrightError);
  });

  it("is read and written by binutils' ar", async () => {
    const ar = needProgram("ar", "binutils");
    const dir = mkdtempSync(join(tmpdir(), "ar-"));
    try {
      writeFileSync(join(dir, "ours.deb"), encode(sample));
      expect(execFileSync(ar, ["t", join(dir, "ours.deb")], { encoding: "utf8" })).toBe(
        "debian-binary\ncontrol.tar.xz\ndata.tar.xz\n",
      );
      writeFileSync(join(dir, "one"), "content");
      execFileSync(ar, ["rcD", "theirs.a", "one"], { cwd: dir });
      const theirs = execFileSync("/bin/cat", [join(dir, "theirs.a")]);
      expect(await members(theirs).catch((error) => error.code)).toEqual([
        expect.objectContaining({ name: "one", content: "content" }),
      ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
