import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { testSigner } from "../../test/support/signing.ts";
import { tempDir } from "../../test/support/temp-store.ts";
import { derInteger, derOid, derTime } from "./der.ts";
import { derOidText, readDer } from "./der-reader.ts";
import { parseCertificate } from "./x509.ts";

test.each(["rsa", "ec"] as const)("OpenSSL takes our certificates for code signing: %s", (type) => {
  const { certificateText } = testSigner("Mine, with a comma", type);
  const file = path.join(tempDir(), "crt");
  fs.writeFileSync(file, certificateText);
  const openssl = (...words: string[]) =>
    execFileSync(needProgram("openssl", "openssl"), words, { encoding: "utf8", stdio: "pipe" });
  expect(openssl("verify", "-check_ss_sig", "-CAfile", file, file)).toContain("OK");
  const text = openssl("x509", "-in", file, "-noout", "-subject", "-dates", "-ext", "extendedKeyUsage");
  expect(text).toContain('CN = "Mine, with a comma"');
  expect(text).toMatch(/notBefore=Jan +1 00:00:00 2026 GMT\nnotAfter=Dec 30 00:00:00 2035 GMT/);
  expect(text).toContain("Code Signing");
});

test("a certificate of OpenSSL's is read", () => {
  const dir = tempDir();
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "c", "-days", "9", "-subj"];
  execFileSync(needProgram("openssl", "openssl"), [...words, "/O=Org/CN=theirs"], { cwd: dir, stdio: "pipe" });
  const certificate = parseCertificate(fs.readFileSync(path.join(dir, "c")), "c");
  expect(certificate).toMatchObject({ commonName: "theirs", fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(parseCertificate(certificate.der, "c").fingerprint).toBe(certificate.fingerprint);
});

test("a certificate cut or changed anywhere is a certificate or an error with a code", () => {
  const { der } = testSigner("x").certificate;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: der.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (at, x, cut) => {
        const bytes = cut ? der.subarray(0, at) : Buffer.from(der);
        if (!cut) bytes[at]! ^= x;
        try {
          parseCertificate(bytes, "x");
        } catch (error) {
          expect(error).toMatchObject({ name: "BootwrightError" });
        }
      },
    ),
  );
});

test("DER: numbers, times and identifiers in their one form", () => {
  expect(derInteger(0).toString("hex")).toBe("020100");
  expect(derInteger(Buffer.from("0080", "hex")).toString("hex")).toBe("02020080");
  expect(derInteger(Buffer.from("ff", "hex")).toString("hex")).toBe("020200ff");
  expect(derTime(Date.UTC(2049, 11, 31)).toString("latin1")).toContain("491231000000Z");
  expect(derTime(Date.UTC(2050, 0, 1)).toString("latin1")).toContain("20500101000000Z");
  for (const text of ["1.2.840.113549.1.7.2", "2.16.840.1.101.3.4.2.1", "1.3.6.1.4.1.311.2.1.15", "2.999.1"])
    expect(derOidText(readDer(derOid(text), "x"), "x")).toBe(text);
});

test("DER: forms that only BER has are refused", () => {
  for (const hex of ["048101aa", "04820001aa", "0480aa0000", "1f8101", "0405aa", "04", ""])
    expect(() => readDer(Buffer.from(hex, "hex"), "x")).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
});
