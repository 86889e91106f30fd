import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { testSigner } from "../../test/support/signing.ts";
import { tempDir } from "../../test/support/temp-store.ts";
import { type EfiSignature, encodeSignatureLists, parseSignatureLists } from "./efi-signature-list.ts";
import { efiTime, encodeVariableUpdate, SECURE_ATTRIBUTES, vendorOf } from "./efi-variable.ts";
import { addVariables, type EfiVariable, readVariables } from "./efi-variable-store.ts";

const OWNER = "11111111-2222-3333-4444-123456789abc";
const pk = testSigner("PK");
const kek = testSigner("KEK");
const list = encodeSignatureLists([{ type: "x509", owner: OWNER, data: pk.certificate.der }]);
const digest = (byte: number): EfiSignature => ({ type: "sha256", owner: OWNER, data: Buffer.alloc(32, byte) });

describe("signature lists", () => {
  test("are those of efitools", () => {
    const dir = tempDir();
    fs.writeFileSync(path.join(dir, "crt"), pk.certificateText);
    execFileSync(needProgram("cert-to-efi-sig-list", "efitools"), ["-g", OWNER, "crt", "esl"], { cwd: dir });
    expect(fs.readFileSync(path.join(dir, "esl"))).toEqual(list);
  });

  test("are read as they were written", () => {
    const all: EfiSignature[] = [
      { type: "x509", owner: OWNER, data: pk.certificate.der },
      { type: "x509", owner: OWNER, data: kek.certificate.der },
      digest(1),
      digest(2),
    ];
    const read = parseSignatureLists(encodeSignatureLists(all), "x").map((one) => ({
      ...one,
      data: Buffer.from(one.data),
    }));
    expect(read).toEqual(all);
  });

  test("whatever else is an error with a code, and at once", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(() => parseSignatureLists(bytes, "x")).toThrow(expect.objectContaining({ name: "BootwrightError" }));
      }),
    );
    for (const [at, value] of [
      [16, 0],
      [16, 0xffff_ffff],
      [20, 0xffff_fff0],
      [24, 0],
      [24, 16],
    ] as const) {
      const bad = Buffer.from(list);
      bad.writeUInt32LE(value, at);
      expect(() => parseSignatureLists(bad, "x")).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    }
  });
});

test.each([
  ["PK", pk],
  ["db", kek],
] as const)("an update of %s is that of efitools", async (name, signer) => {
  const dir = tempDir();
  fs.writeFileSync(path.join(dir, "key"), signer.keyText);
  fs.writeFileSync(path.join(dir, "crt"), signer.certificateText);
  fs.writeFileSync(path.join(dir, "esl"), list);
  const words = ["-g", OWNER, "-t", "2026-01-02 03:04:05", "-k", "key", "-c", "crt", name, "esl", "auth"];
  const env = { ...process.env, TZ: "UTC" };
  execFileSync(needProgram("sign-efi-sig-list", "efitools"), words, { cwd: dir, env, stdio: "pipe" });
  const ours = await encodeVariableUpdate(signer, { name, data: list, time: Date.UTC(2026, 0, 2, 3, 4, 5) });
  expect(ours.equals(fs.readFileSync(path.join(dir, "auth")))).toBe(true);
});

describe("OVMF's variable store", () => {
  const store = (): Buffer => fs.readFileSync("/usr/share/OVMF/OVMF_VARS_4M.fd");
  const variable = (name: "PK" | "KEK" | "db", data: Uint8Array = list): EfiVariable => ({
    ...{ name, vendor: vendorOf(name), attributes: SECURE_ATTRIBUTES },
    ...{ data: Buffer.from(data), timestamp: efiTime(Date.UTC(2026, 0, 1)) },
  });

  test("takes variables and gives them back", () => {
    const added = addVariables(store(), [variable("PK"), variable("KEK")]);
    expect(added).toHaveLength(store().length);
    expect(readVariables(added)).toEqual([variable("PK"), variable("KEK")]);
  });

  test("a variable takes the place of an older one", () => {
    const once = addVariables(store(), [variable("PK"), variable("db")]);
    expect(readVariables(addVariables(once, [variable("PK", Buffer.from("new"))]))).toEqual([
      variable("db"),
      variable("PK", Buffer.from("new")),
    ]);
  });

  test("what firmware has written is read", () => {
    const names = readVariables(fs.readFileSync("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd")).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["PK", "KEK", "db", "dbx", "SecureBootEnable"]));
  });

  test("a full store says so", () => {
    expect(() => addVariables(store(), [variable("db", Buffer.alloc(300_000))])).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
  });

  test("a damaged store is an error with a code, and at once", () => {
    const good = addVariables(store(), [variable("PK")]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x48 + 28 + 60 }), fc.integer({ min: 1, max: 255 }), (at, x) => {
        const bad = Buffer.from(good);
        bad[at]! ^= x;
        try {
          readVariables(bad);
        } catch (error) {
          expect(error).toMatchObject({ name: "BootwrightError" });
        }
      }),
    );
    expect(() => readVariables(good.subarray(0, 100))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    expect(() => readVariables(Buffer.alloc(4096))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});
