import { generateKeyPairSync, sign } from "node:crypto";
import { expect, test } from "vitest";
import { signEnvelope } from "../formats/dsse.ts";
import { encodeStatement, INTOTO_PAYLOAD, PREDICATES } from "../formats/intoto.ts";
import { signedBills } from "./bills.ts";

const HASH = "a".repeat(64);

function newKey(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { name, publicKey, sign: async (bytes: Uint8Array) => sign("sha256", bytes, privateKey) };
}

const [own, stranger] = [newKey("own"), newKey("stranger")];

const cycloneDx = (hash: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      ...{ bomFormat: "CycloneDX", specVersion: "1.6" },
      metadata: { component: { name: "a", hashes: [{ alg: "SHA-256", content: hash }] } },
    }),
  );

function look(found: Partial<Parameters<typeof signedBills>[0]>) {
  const passed: string[] = [];
  const pass = (where: string, code: string) => void passed.push(`${where} ${code}`);
  const bills = signedBills({ hash: HASH, envelopes: [], bills: [], ...found }, { keys: [own], pass });
  return { bills, passed };
}

test("a file counts with a signature by a key that is trusted, when it is about these bytes", async () => {
  const file = async (where: string, bytes: Buffer, signer: typeof own | undefined = own) => ({
    ...{ where, bytes, signature: await signer.sign(bytes) },
  });
  const right = cycloneDx(HASH);
  const found = look({
    bills: [
      await file("right", right),
      await file("stranger", right, stranger),
      { where: "unsigned", bytes: right, signature: undefined },
      { where: "changed", bytes: cycloneDx("b".repeat(64)), signature: await own.sign(right) },
      await file("other", cycloneDx("b".repeat(64))),
      await file("junk", Buffer.from("{")),
    ],
  });
  expect(found.bills).toEqual([{ where: "right", signedBy: ["own"] }]);
  expect(found.passed).toEqual([
    ...["stranger", "unsigned", "changed"].map((where) => `${where} SIGNATURE_INVALID`),
    "other DIGEST_MISMATCH",
    "junk FORMAT_INVALID",
  ]);
});

test("an attached one counts when it is a bill; what else is attached is passed over without a word", async () => {
  const envelope = async (where: string, predicateType: string, { signer = own, hash = HASH } = {}) => {
    const subjects = [{ name: "a", sha256: hash }];
    const payload = Buffer.from(encodeStatement({ subjects, predicateType, predicate: {} }));
    const bytes = Buffer.from(await signEnvelope(payload, { payloadType: INTOTO_PAYLOAD, signer }));
    return { where, bytes };
  };
  const found = look({
    envelopes: [
      await envelope("spdx", PREDICATES.spdx),
      await envelope("slsa", PREDICATES.slsa),
      await envelope("stranger", PREDICATES.spdx, { signer: stranger }),
      await envelope("other", PREDICATES.cyclonedx, { hash: "b".repeat(64) }),
      { where: "junk", bytes: Buffer.from("{") },
    ],
  });
  expect(found).toEqual({ bills: [{ where: "spdx", signedBy: ["own"] }], passed: [] });
});
