import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, type Json } from "../base/json.ts";
import { signEnvelope } from "../formats/dsse.ts";
import { encodeStatement, INTOTO_PAYLOAD, PREDICATES } from "../formats/intoto.ts";
import { encodeSimpleSigning } from "../formats/simple-signing.ts";
import { type FoundEvidence, type ProvenancePolicy, verifyArtifact } from "./artifact-policy.ts";

const HASH = "a".repeat(64);
const CONFIG = "c".repeat(64);

function newKey(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { name, publicKey, sign: async (bytes: Uint8Array) => sign("sha256", bytes, privateKey) };
}

const [own, stranger] = [newKey("own"), newKey("stranger")];

const predicate = (change: { builder?: string; uri?: string } = {}): Json => ({
  buildDefinition: {
    buildType: "urn:bootwright:build:1",
    externalParameters: { config: [{ name: "bootwright.yaml", digest: { sha256: CONFIG } }] },
    resolvedDependencies: [{ name: "busybox", uri: change.uri ?? "pkg:deb/debian/busybox@1?arch=amd64" }],
  },
  runDetails: { builder: { id: change.builder ?? "urn:example:ci" } },
});

async function envelope({
  signer = own,
  subject = HASH,
  body = predicate(),
}: {
  signer?: typeof own;
  subject?: string;
  body?: Json;
} = {}) {
  const statement = encodeStatement({
    subjects: [{ name: "a", sha256: subject }],
    predicateType: PREDICATES.slsa,
    predicate: body,
  });
  const bytes = await signEnvelope(Buffer.from(statement), { payloadType: INTOTO_PAYLOAD, signer });
  return { where: "e", bytes: Buffer.from(bytes) };
}

const policy = (change: Partial<ProvenancePolicy> = {}): ProvenancePolicy => ({
  ...{ keys: [own], builders: undefined, sources: undefined, config: undefined },
  require: { statement: true, signature: false },
  ...change,
});

const found = (envelopes: FoundEvidence["envelopes"], signatures: FoundEvidence["signatures"] = []): FoundEvidence => ({
  ...{ hash: HASH, envelopes, signatures, bills: [] },
});

const rules = (evidence: FoundEvidence, change: Partial<ProvenancePolicy> = {}): readonly string[] =>
  verifyArtifact(evidence, policy(change)).violations.map(({ rule }) => rule);

test("a trusted statement that says what is allowed holds", async () => {
  const report = verifyArtifact(
    found([await envelope()]),
    policy({ builders: ["urn:example:ci"], sources: ["pkg:deb/debian/*"], config: [CONFIG] }),
  );
  expect(report).toMatchObject({
    violations: [],
    passedOver: [],
    statements: [{ signedBy: ["own"], builder: "urn:example:ci", sources: 1 }],
  });
});

test("what is nobody's, or of something else, does not count, and it is said why", async () => {
  const report = verifyArtifact(
    found([await envelope({ signer: stranger }), await envelope({ subject: "b".repeat(64) })]),
    policy(),
  );
  expect(report.violations).toMatchObject([{ rule: "provenance" }]);
  expect(report.passedOver.map(({ code }) => code)).toEqual(["SIGNATURE_INVALID", "DIGEST_MISMATCH"]);
  expect(rules(found([]))).toEqual(["provenance"]);
});

test("builder, sources and config must be allowed, each by itself", async () => {
  const evidence = found([await envelope()]);
  expect(rules(evidence, { builders: ["urn:example:other"] })).toEqual(["builder"]);
  expect(rules(evidence, { sources: ["pkg:apk/*"] })).toEqual(["source"]);
  expect(rules(evidence, { config: ["d".repeat(64)] })).toEqual(["config"]);
  expect(rules(evidence, { builders: [], sources: [], config: [] })).toEqual(["builder", "config", "source"]);
});

test("one statement that holds is enough, whatever lies beside it", async () => {
  const bad = await envelope({ body: predicate({ builder: "urn:example:other" }) });
  const junk = { where: "junk", bytes: Buffer.from("{") };
  const report = verifyArtifact(found([bad, junk, await envelope()]), policy({ builders: ["urn:example:ci"] }));
  expect(report.violations).toEqual([]);
  expect(report.passedOver).toMatchObject([{ where: "junk", code: "FORMAT_INVALID" }]);
});

test.each([
  ["pkg:deb/debian/*", true],
  ["pkg:deb/debian/busybox@1?arch=amd64", true],
  ["*", true],
  ["*busybox*amd64", true],
  ["pkg:deb/debian/busybox", false],
  ["*amd64*amd64", false],
  ["pkg:deb/debian/busybox@1?arch=amd64*amd64", false],
  [".*", false],
])("pattern %s: %s", async (pattern, holds) => {
  expect(rules(found([await envelope()]), { sources: [pattern] })).toEqual(holds ? [] : ["source"]);
});

test("a required signature must be of this artifact, by a trusted key", async () => {
  const require = { statement: false, signature: true };
  const signed = async (hash: string, signer = own) => {
    const payload = Buffer.from(encodeSimpleSigning({ name: "example.org/a", hash }));
    return { where: "s", payload, signature: await signer.sign(payload) };
  };
  expect(rules(found([]), { require })).toEqual(["artifact-signature"]);
  expect(rules(found([], [await signed(HASH)]), { require })).toEqual([]);
  expect(rules(found([], [await signed(HASH, stranger)]), { require })).toEqual(["artifact-signature"]);
  expect(rules(found([], [await signed("b".repeat(64))]), { require })).toEqual(["artifact-signature"]);
  expect(rules(found([], [{ where: "f", signedBy: ["own"] }]), { require })).toEqual([]);
});

test("hostile statements by a trusted key are violations, not crashes", async () => {
  const bodies: fc.Arbitrary<unknown> = fc.oneof(
    fc.jsonValue(),
    fc.record({ buildDefinition: fc.jsonValue(), runDetails: fc.jsonValue() }),
    fc.jsonValue().map((value) => ({ ...(predicate() as object), runDetails: value })),
    fc.jsonValue().map((value) => ({ ...(predicate() as object), buildDefinition: value })),
  );
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      expect(rules(found([await envelope({ body: JSON.parse(canonicalJson(body as Json)) })]))).toEqual(["provenance"]);
    }),
    { numRuns: 200 },
  );
});

test("any bytes in place of evidence are passed over", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (bytes, signature) => {
      const evidence = found([{ where: "e", bytes }], [{ where: "s", payload: bytes, signature }]);
      const report = verifyArtifact(evidence, policy({ require: { statement: true, signature: true } }));
      expect(report.violations.map(({ rule }) => rule)).toEqual(["provenance", "artifact-signature"]);
      expect(report.passedOver).toHaveLength(2);
    }),
  );
});

test("the commit and the digests of sources must be there where they are asked for", async () => {
  const evidence = found([await envelope()]);
  const commit = "9".repeat(40);
  expect(rules(evidence, { pinned: true, commit })).toEqual(["commit", "unpinned"]);
  const body = JSON.parse(JSON.stringify(predicate())) as ReturnType<typeof JSON.parse>;
  body.buildDefinition.externalParameters.source = { digest: { gitCommit: commit } };
  body.buildDefinition.resolvedDependencies[0].digest = { sha256: HASH };
  expect(rules(found([await envelope({ body })]), { pinned: true, commit })).toEqual([]);
  // Of another build type, what is made from a commit has it among its sources.
  body.buildDefinition.buildType = "urn:example:build";
  expect(rules(found([await envelope({ body })]), { commit })).toEqual(["commit"]);
  body.buildDefinition.resolvedDependencies.push({
    uri: "git+https://git.example.org/a",
    digest: { gitCommit: commit },
  });
  expect(rules(found([await envelope({ body })]), { commit })).toEqual([]);
});
