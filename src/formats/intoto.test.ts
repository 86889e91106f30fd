import { expect, test } from "vitest";
import { encodeStatement, PREDICATES, parseStatement, type Statement } from "./intoto.ts";

const STATEMENT: Statement = {
  subjects: [{ name: "a.efi", sha256: "0".repeat(64) }],
  predicateType: PREDICATES.slsa,
  predicate: { b: 1, a: [null] },
};

test("a statement comes back as it was", () => {
  expect(parseStatement(Buffer.from(encodeStatement(STATEMENT)), "s")).toEqual(STATEMENT);
});

test("subjects by other digests are no subjects", () => {
  const text = JSON.stringify({
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType: "x",
    subject: [{ name: "git", digest: { gitCommit: "1" } }, { digest: { sha256: "1".repeat(64), sha512: "2" } }],
  });
  expect(parseStatement(Buffer.from(text), "s")).toEqual({
    subjects: [{ name: "", sha256: "1".repeat(64) }],
    predicateType: "x",
    predicate: null,
  });
});

test.each([
  ["UNSUPPORTED", { _type: "https://in-toto.io/Statement/v9" }],
  ["FORMAT_INVALID", { ...raw(), subject: {} }],
  ["FORMAT_INVALID", { ...raw(), subject: [null] }],
  ["FORMAT_INVALID", { ...raw(), subject: [{ digest: { sha256: "A".repeat(64) } }] }],
  ["FORMAT_INVALID", { ...raw(), predicateType: 1 }],
  ["FORMAT_INVALID", []],
])("%s for %j", (code, value) => {
  expect(() => parseStatement(Buffer.from(JSON.stringify(value)), "s")).toThrow(expect.objectContaining({ code }));
});

function raw(): object {
  return { _type: "https://in-toto.io/Statement/v1", predicateType: "x", subject: [], predicate: {} };
}
