import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { testSigner } from "../../test/support/signing.ts";
import { tempDir } from "../../test/support/temp-store.ts";
import { tinyPe } from "../../test/support/tiny-pe.ts";
import { concatBytes } from "../base/bytes.ts";
import {
  attachSignatures,
  authenticodeDigest,
  readSignatures,
  removeSignatures,
  signDigest,
  signedDigest,
  verifyAuthenticode,
} from "./authenticode.ts";
import { sourceOfBytes } from "./byte-source.ts";
import { derContext, derSequence } from "./der.ts";
import { readPe } from "./pe.ts";

const ours = testSigner("ours");
const elliptic = testSigner("elliptic", "ec");
const stranger = testSigner("stranger");
const program = tinyPe({ sbat: "sbat,1\n" });
/** Its size is no multiple of 8: signing pads it. */
const odd = Buffer.concat([program, Buffer.from("odd")]);

async function signedBy(bytes: Uint8Array, ...signers: readonly (typeof ours)[]): Promise<Buffer> {
  const digest = authenticodeDigest(sourceOfBytes(bytes));
  const signatures = await Promise.all(signers.map((signer) => signDigest(signer, digest)));
  return Buffer.from(concatBytes([...attachSignatures(sourceOfBytes(bytes), { signatures })]));
}
const verify = (bytes: Uint8Array, ...trusted: readonly (typeof ours)[]) =>
  verifyAuthenticode(sourceOfBytes(bytes), { trusted: trusted.map(({ certificate }) => certificate) });

describe("a signed program", () => {
  test.each([
    ["RSA", ours],
    ["EC", elliptic],
  ])("verifies: %s", async (_, signer) => {
    expect(verify(await signedBy(program, signer), signer).commonName).toBe(signer.certificate.commonName);
  });

  test("has the digest that it had before", async () => {
    for (const bytes of [program, odd])
      expect(authenticodeDigest(sourceOfBytes(await signedBy(bytes, ours)))).toBe(
        authenticodeDigest(sourceOfBytes(bytes)),
      );
  });

  test("has the same bytes each time, with RSA", async () => {
    expect(await signedBy(program, ours)).toEqual(await signedBy(program, ours));
  });

  test("may have several signatures, added at once or one after the other", async () => {
    const both = await signedBy(program, ours, elliptic);
    expect(await signedBy(await signedBy(program, ours), elliptic)).toHaveLength(both.length);
    expect(verify(both, ours)).toBe(ours.certificate);
    expect(verify(both, elliptic)).toBe(elliptic.certificate);
    expect(readSignatures(sourceOfBytes(both))).toHaveLength(2);
  });

  test("loses its signatures again, up to the padding", async () => {
    const bare = concatBytes([...removeSignatures(sourceOfBytes(await signedBy(odd, ours)))]);
    expect(readSignatures(sourceOfBytes(bare))).toEqual([]);
    expect(authenticodeDigest(sourceOfBytes(bare))).toBe(authenticodeDigest(sourceOfBytes(odd)));
  });
});

describe("sbsigntool", () => {
  const files = (dir: string, signer: typeof ours) => {
    fs.writeFileSync(path.join(dir, "key"), signer.keyText);
    fs.writeFileSync(path.join(dir, "crt"), signer.certificateText);
  };

  test.each([
    ["RSA", ours, program],
    ["EC", elliptic, program],
    ["padded", ours, odd],
  ])("verifies what we sign: %s", async (_, signer, bytes) => {
    const dir = tempDir();
    files(dir, signer);
    fs.writeFileSync(path.join(dir, "signed.efi"), await signedBy(bytes, signer));
    const sbverify = needProgram("sbverify", "sbsigntool");
    expect(
      execFileSync(sbverify, ["--cert", "crt", "signed.efi"], { cwd: dir, encoding: "utf8", stdio: "pipe" }),
    ).toContain("Signature verification OK");
  });

  test("signs what we verify, with the same digest", () => {
    const dir = tempDir();
    files(dir, ours);
    fs.writeFileSync(path.join(dir, "program.efi"), odd);
    const sbsign = needProgram("sbsign", "sbsigntool");
    execFileSync(sbsign, ["--key", "key", "--cert", "crt", "--output", "signed.efi", "program.efi"], {
      cwd: dir,
      stdio: "pipe",
    });
    const signed = fs.readFileSync(path.join(dir, "signed.efi"));
    expect(verify(signed, ours)).toBe(ours.certificate);
    const [signature] = readSignatures(sourceOfBytes(signed));
    expect(signedDigest(signature!, "theirs")).toBe(authenticodeDigest(sourceOfBytes(odd)));
  });
});

describe("refused", () => {
  const refused = (bytes: Uint8Array, ...trusted: readonly (typeof ours)[]) => {
    try {
      verify(bytes, ...trusted);
    } catch (error) {
      return error as Error & { code: string };
    }
    throw new Error("it was accepted");
  };

  test("no signature, a stranger's signature", async () => {
    expect(refused(program, ours)).toMatchObject({ code: "SIGNATURE_INVALID", message: /not signed/ });
    expect(refused(await signedBy(program, stranger), ours)).toMatchObject({
      code: "SIGNATURE_INVALID",
      message: expect.stringMatching(/signed by "stranger", which is not trusted/),
    });
  });

  test("any changed byte, wherever it is", async () => {
    const signed = await signedBy(program, ours);
    const pe = readPe(sourceOfBytes(signed));
    const checksum = pe.optionalOffset + 64;
    for (let at = 0; at < signed.length; at++) {
      if (at >= checksum && at < checksum + 4) continue; // Belongs to no digest: each signature would change it.
      const bad = Buffer.from(signed);
      bad[at]! ^= 0x40;
      try {
        verify(bad, ours);
      } catch (error) {
        expect(error, `byte ${at}`).toMatchObject({ name: "BootwrightError" });
        continue;
      }
      // What names no bytes that anybody trusts: unsigned parts of the PKCS #7 wrapper.
      expect(authenticodeDigest(sourceOfBytes(bad)), `byte ${at}`).toBe(authenticodeDigest(sourceOfBytes(program)));
    }
  });

  test("bytes that no digest covers: behind the table, between sections, over each other", async () => {
    const signed = await signedBy(program, ours);
    expect(refused(Buffer.concat([signed, Buffer.alloc(8, 1)]), ours).code).toBe("FORMAT_INVALID");
    const pe = readPe(sourceOfBytes(program));
    for (const offset of [pe.sections[1]!.rawOffset + 512, pe.sections[0]!.rawOffset]) {
      const gapped = Buffer.concat([program, Buffer.alloc(1024)]);
      gapped.writeUInt32LE(offset, pe.sections[1]!.headerOffset + 20);
      expect(() => authenticodeDigest(sourceOfBytes(gapped))).toThrow(/right behind what precedes it/);
    }
  });

  test("something hidden in the table, behind a signature", async () => {
    const signed = await signedBy(program, ours);
    const pe = readPe(sourceOfBytes(signed));
    const table = pe.directories[4]!;
    const hidden = Buffer.concat([signed, Buffer.from("hidden!!")]);
    hidden.writeUInt32LE(table.size + 8, pe.optionalOffset + 112 + 36);
    hidden.writeUInt32LE(signed.readUInt32LE(table.address) + 8, table.address);
    expect(refused(hidden, ours)).toMatchObject({ code: "FORMAT_INVALID" });
  });

  test("a signature of one program put on another", async () => {
    const other = tinyPe({ sbat: "sbat,2\n" });
    const [signature] = readSignatures(sourceOfBytes(await signedBy(program, ours)));
    const bad = concatBytes([...attachSignatures(sourceOfBytes(other), { signatures: [signature!] })]);
    expect(refused(bad, ours)).toMatchObject({ message: expect.stringMatching(/the signature is of sha256:/) });
  });

  test("attributes without the content's digest", async () => {
    const [signature] = readSignatures(sourceOfBytes(await signedBy(program, ours)));
    // The digest in the content is exchanged, the signed attributes stay.
    const digest = Buffer.from(authenticodeDigest(sourceOfBytes(program)), "hex");
    const other = tinyPe({ sbat: "sbat,2\n" });
    const forged = Buffer.from(signature!);
    forged.set(Buffer.from(authenticodeDigest(sourceOfBytes(other)), "hex"), forged.indexOf(digest));
    const bad = concatBytes([...attachSignatures(sourceOfBytes(other), { signatures: [forged] })]);
    expect(refused(bad, ours)).toMatchObject({ message: expect.stringMatching(/not what was signed/) });
  });

  test("whatever is no PKCS #7: coded, and at once", async () => {
    const nested = Array.from({ length: 2000 }).reduce<Buffer>(
      (inner) => derSequence(derContext(0, inner)),
      derSequence(),
    );
    const bad = [nested, Buffer.alloc(64, 0x30), derSequence()];
    for (const signature of bad) {
      const file = concatBytes([...attachSignatures(sourceOfBytes(program), { signatures: [signature] })]);
      expect(refused(file, ours)).toMatchObject({ name: "BootwrightError" });
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (signature) => {
        expect(() => signedDigest(signature, "x")).toThrow(expect.objectContaining({ name: "BootwrightError" }));
      }),
    );
  });

  test("a signature cut anywhere", async () => {
    const [signature] = readSignatures(sourceOfBytes(await signedBy(program, ours)));
    for (let length = 0; length < signature!.length; length += 7)
      expect(() => signedDigest(signature!.subarray(0, length), "x")).toThrow(
        expect.objectContaining({ name: "BootwrightError" }),
      );
  });
});
