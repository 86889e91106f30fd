import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { type TestSigner, testSigner } from "../../test/support/signing.ts";
import { temporaryDir } from "../../test/support/test-session.ts";
import { tinyElf } from "../../test/support/tiny-elf.ts";
import { appendSignature, signModule, splitModule } from "./module-signature.ts";

const module = tinyElf({ sections: { ".modinfo": Buffer.from("license=GPL\0name=tiny\0depends=\0") } });

const signed = async (signer: TestSigner, file: Buffer): Promise<Buffer> => {
  const { module: bare } = splitModule(file, "m");
  return appendSignature(bare, await signModule(signer, bare));
};

describe("signModule", () => {
  it("is what modinfo reads and OpenSSL verifies", async () => {
    const signer = testSigner("Modules of a test");
    const file = await signed(signer, module);
    const dir = temporaryDir();
    const at = (name: string, bytes: Uint8Array | string): string => {
      fs.writeFileSync(path.join(dir, name), bytes);
      return path.join(dir, name);
    };
    const { stdout } = spawnSync(needProgram("modinfo", "kmod"), [at("tiny.ko", file)], { encoding: "utf8" });
    expect(stdout).toMatch(/^sig_id: +PKCS#7$/m);
    expect(stdout).toMatch(/^signer: +Modules of a test$/m);
    expect(stdout).toMatch(/^sig_hashalgo: +sha256$/m);
    const serial = Buffer.from(signer.certificate.serial).subarray(2).toString("hex"); // Without tag and length.
    expect(stdout.replaceAll(/[\s:]/g, "")).toContain(`sig_key${serial.toUpperCase()}`);

    const { signature } = splitModule(file, "tiny.ko");
    const verify = (content: Uint8Array) =>
      spawnSync(needProgram("openssl", "openssl"), [
        ...["cms", "-verify", "-binary", "-inform", "DER", "-in", at("signature", signature!)],
        ...[
          "-content",
          at("content", content),
          "-certfile",
          at("cert", signer.certificateText),
          "-noverify",
          "-out",
          "/dev/null",
        ],
      ]).status;
    expect(verify(module)).toBe(0);
    expect(verify(Buffer.concat([module, Buffer.alloc(1)]))).not.toBe(0);
  });

  it("replaces a signature, and is the same bytes each time", async () => {
    const [old, signer] = [testSigner("Old"), testSigner("New")];
    const fresh = await signed(signer, module);
    const again = await signed(signer, await signed(old, module));
    expect(again.equals(fresh)).toBe(true);
    expect(splitModule(fresh, "m").module.equals(module)).toBe(true);
  });
});

describe("splitModule", () => {
  const MAGIC = "~Module signature appended~\n";

  it("leaves a module without one as it is", () => {
    expect(splitModule(module, "m")).toEqual({ module, signature: undefined });
  });

  it("takes apart or refuses whatever stands before the last line", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const file = Buffer.concat([bytes, Buffer.from(MAGIC)]);
        try {
          const { module: rest, signature } = splitModule(file, "m");
          expect(rest.length + signature!.length + 12 + MAGIC.length).toBe(file.length);
        } catch (error) {
          expect(error).toMatchObject({ code: "FORMAT_INVALID" });
        }
      }),
    );
  });

  it.each([
    ["a length past the file", [0, 0, 2, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
    ["no signature at all", [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["another kind of signature", [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 4]],
    ["a reserved byte", [0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 4]],
  ])("refuses %s", (_, trailer) => {
    const file = Buffer.concat([module, Buffer.from(trailer), Buffer.from(MAGIC)]);
    expect(() => splitModule(file, "m")).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});
