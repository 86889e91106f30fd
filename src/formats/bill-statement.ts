/** A bill of materials as a statement about what it lists: its own document says of which file it is. */
import { PREDICATES, type Statement, type StatementSubject } from "./intoto.ts";
import { JsonFields } from "./oci-json.ts";

const MAX_PARTS = 200_000;

/** SPDX or CycloneDX in JSON; undefined for anything else. A bill that names no digest has no subjects. Throws FORMAT_INVALID. */
export function parseBillStatement(bytes: Uint8Array, what: string): Statement | undefined {
  const fields = JsonFields.parse(bytes, what);
  if (fields.has("spdxVersion"))
    return { predicateType: PREDICATES.spdx, predicate: fields.whole, subjects: spdxSubjects(fields) };
  if (fields.has("bomFormat"))
    return { predicateType: PREDICATES.cyclonedx, predicate: fields.whole, subjects: cycloneDxSubjects(fields) };
  return undefined;
}

/** What the document describes. */
function spdxSubjects(fields: JsonFields): readonly StatementSubject[] {
  const described = new Set(
    fields
      .list("relationships", (item, where) => JsonFields.of(item, where), MAX_PARTS)
      .filter((one) => one.text("spdxElementId") === "SPDXRef-DOCUMENT" && one.text("relationshipType") === "DESCRIBES")
      .map((one) => one.text("relatedSpdxElement")),
  );
  return fields
    .list("packages", (item, where) => JsonFields.of(item, where), MAX_PARTS)
    .filter((one) => described.has(one.text("SPDXID")) && one.has("checksums"))
    .flatMap((one) =>
      one
        .list("checksums", (item, where) => JsonFields.of(item, where), MAX_PARTS)
        .filter((sum) => sum.text("algorithm") === "SHA256")
        .map((sum) => ({ name: one.text("name"), sha256: sum.text("checksumValue") })),
    );
}

function cycloneDxSubjects(fields: JsonFields): readonly StatementSubject[] {
  const component = fields.object("metadata").object("component");
  if (!component.has("hashes")) return [];
  return component
    .list("hashes", (item, where) => JsonFields.of(item, where), MAX_PARTS)
    .filter((one) => one.text("alg") === "SHA-256")
    .map((one) => ({ name: component.text("name"), sha256: one.text("content") }));
}
