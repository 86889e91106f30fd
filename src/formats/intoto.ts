/**
 * in-toto statements (in-toto attestation framework 1.0, "Statement"): what is said (the predicate) of what (the subjects,
 * by digest). Written in one form, so that the same statement has the same bytes.
 */
import { BootwrightError } from "../base/errors.ts";
import { canonicalJson, type Json } from "../base/json.ts";
import { JsonFields } from "./oci-json.ts";

export const INTOTO_PAYLOAD = "application/vnd.in-toto+json";
/** Predicates that are written here, by the short names that people use. */
export const PREDICATES = {
  slsa: "https://slsa.dev/provenance/v1",
  spdx: "https://spdx.dev/Document",
  cyclonedx: "https://cyclonedx.org/bom",
} as const;

const STATEMENT = "https://in-toto.io/Statement/v1";
/** What older clients still write. */
const STATEMENT_0_1 = "https://in-toto.io/Statement/v0.1";
const MAX_SUBJECTS = 100_000;
const SHA256 = /^[0-9a-f]{64}$/;

/** Of an artifact: its name and the SHA-256 of its bytes. */
export interface StatementSubject {
  readonly name: string;
  readonly sha256: string;
}

export interface Statement {
  readonly subjects: readonly StatementSubject[];
  readonly predicateType: string;
  readonly predicate: Json;
}

export function encodeStatement({ subjects, predicateType, predicate }: Statement): string {
  const subject = subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } }));
  return canonicalJson({ _type: STATEMENT, subject, predicateType, predicate });
}

/** `what` names it in errors. Subjects without a SHA-256 are left out. Throws FORMAT_INVALID, LIMIT_EXCEEDED, UNSUPPORTED. */
export function parseStatement(bytes: Uint8Array, what: string): Statement {
  const fields = JsonFields.parse(bytes, what);
  const type = fields.text("_type");
  if (type !== STATEMENT && type !== STATEMENT_0_1)
    throw new BootwrightError("UNSUPPORTED", `${what}: no in-toto statement of version 1, but ${JSON.stringify(type)}`);
  const subjects = fields.list("subject", parseSubject, MAX_SUBJECTS).flat();
  const predicateType = fields.text("predicateType");
  return { subjects, predicateType, predicate: fields.value("predicate") };
}

function parseSubject(item: unknown, where: string): readonly StatementSubject[] {
  const fields = JsonFields.of(item, where);
  const sha256 = fields.object("digest").optionalText("sha256");
  if (sha256 === undefined) return [];
  if (!SHA256.test(sha256)) throw fields.unexpected("digest", "a SHA-256 of 64 lower-case hex digits");
  return [{ name: fields.optionalText("name") ?? "", sha256 }];
}
