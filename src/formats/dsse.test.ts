import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isBootwrightError } from "../base/errors.ts";
import { parseEnvelope, signEnvelope, signersOf, verifyBytes } from "./dsse.ts";

function key(type: "P-256" | "ed25519" | "rsa") {
  const { privateKey, publicKey } =
    type === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : type === "ed25519"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("ec", { namedCurve: type });
  return {
    name: type,
    publicKey,
    sign: async (bytes: Uint8Array) => sign(type === "ed25519" ? null : "sha256", bytes, privateKey),
  };
}

const payloadType = "http://example.com/HelloWorld";

test("what is signed is what the protocol's own example says", async () => {
  let signed: Uint8Array = Buffer.of();
  const signer = {
    ...key("P-256"),
    sign: async (bytes: Uint8Array) => {
      signed = bytes;
      return Buffer.from("x");
    },
  };
  await signEnvelope(Buffer.from("hello world"), { payloadType, signer });
  // DSSE 1.0, protocol.md: "PAE".
  expect(Buffer.from(signed).toString()).toBe("DSSEv1 29 http://example.com/HelloWorld 11 hello world");
});

test.each(["P-256", "ed25519", "rsa"] as const)("signatures of %s are told from others", async (type) => {
  const [own, other] = [key(type), key(type)];
  const envelope = parseEnvelope(Buffer.from(await signEnvelope(Buffer.from("a"), { payloadType, signer: own })), "e");
  expect(envelope.payload.toString()).toBe("a");
  expect(signersOf(envelope, [other, own])).toEqual([own]);
  expect(signersOf({ ...envelope, payload: Buffer.from("b") }, [own])).toEqual([]);
  expect(signersOf({ ...envelope, payloadType: "text/plain" }, [own])).toEqual([]);
});

test("a signature of any bytes is refused, not a crash", () => {
  const keys = [key("P-256"), key("ed25519"), key("rsa")];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...keys), (signature, { publicKey }) => {
      expect(verifyBytes(Buffer.from("a"), { publicKey, signature })).toBe(false);
    }),
  );
});

test("a damaged envelope is refused with a code", async () => {
  const good = Buffer.from(await signEnvelope(Buffer.from("a"), { payloadType, signer: key("P-256") }));
  const mutated = fc
    .tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }))
    .map(([at, byte]) => Buffer.from(good.map((old, i) => (i === at ? byte : old))));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
      try {
        parseEnvelope(bytes, "e");
      } catch (error) {
        if (!isBootwrightError(error)) throw error;
      }
    }),
  );
  for (const text of ["[]", '{"payloadType":"x"}', '{"payloadType":"x","payload":"!","signatures":[]}'])
    expect(() => parseEnvelope(Buffer.from(text), "e")).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  const many = JSON.stringify({ payloadType: "x", payload: "", signatures: Array(100).fill({ sig: "" }) });
  expect(() => parseEnvelope(Buffer.from(many), "e")).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
});
