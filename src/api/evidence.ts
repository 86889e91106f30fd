/** What is said of an artifact: attached to it in a registry or layout, or in files beside it. */
import { splitLines } from "../formats/dsse.ts";
import { readAttached } from "../oci/cosign.ts";
import type { Document } from "../oci/manifests.ts";
import type { Location } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import type { FoundEvidence, ProvenancePolicy } from "../verify/artifact-policy.ts";
import { readSignedBytes } from "../verify/signed-bytes.ts";
import { openSigned } from "./attachments.ts";
import type { Session } from "./session.ts";

/** Takes note of what is damaged, and harms nothing. */
export type Damaged = (where: string) => (error: unknown) => void;

/** Throws what finding the subject throws. */
export async function attachedEvidence(
  session: Session,
  { location, open, damaged }: { location: Location; open: (host: string) => Registry; damaged: Damaged },
): Promise<{ readonly found: FoundEvidence; readonly subject: Document }> {
  const place = await openSigned(session, { location, open });
  const { subject } = place;
  const { hash } = subject;
  const [statements, signatures] = [
    await readAttached(place, { hash, kind: "statement", damaged: damaged("statement") }),
    await readAttached(place, { hash, kind: "signature", damaged: damaged("signature") }),
  ];
  const found: FoundEvidence = {
    ...{ hash, bills: [] },
    envelopes: statements.map(({ bytes }, i) => ({ where: `statement ${i + 1}`, bytes })),
    signatures: signatures.map(({ bytes, signature }, i) => ({
      ...{ where: `signature ${i + 1}`, payload: bytes, signature: Buffer.from(signature, "base64") },
    })),
  };
  return { found, subject };
}

export interface NamedBytes {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Beside {
  readonly policy: ProvenancePolicy;
  /** Of the file whose name has that ending more. */
  readonly read: (ending: string) => Promise<Buffer | undefined>;
  /** Where a place keeps further statements in files of their own. */
  readonly statements?: (() => Promise<readonly NamedBytes[]>) | undefined;
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

/** Throws what reading throws. */
export async function besideEvidence(
  name: string,
  { policy, read, statements, chunks }: Beside,
): Promise<FoundEvidence> {
  const [signature, lines, older] = [await read(".sig"), await read(STATEMENT), await read(OLDER_STATEMENTS)];
  const further = (await statements?.()) ?? [];
  const { hash, signedBy } = await readSignedBytes(chunks(), {
    signature: signature && decodeSignature(signature),
    keys: policy.keys,
  });
  const bills: FoundEvidence["bills"][number][] = [];
  for (const ending of BILLS) {
    const [bytes, signed] = [await read(ending), await read(`${ending}.sig`)];
    if (bytes !== undefined)
      bills.push({ where: `${name}${ending}`, bytes, signature: signed && decodeSignature(signed) });
  }
  return {
    ...{ hash, bills },
    envelopes: [
      ...envelopesIn(`${name}${STATEMENT}`, lines),
      ...envelopesIn(`${name}${OLDER_STATEMENTS}`, older),
      ...further.flatMap((one) => envelopesIn(one.name, one.bytes)),
    ],
    signatures: signature === undefined ? [] : [{ where: `${name}.sig`, signedBy }],
  };
}

const envelopesIn = (where: string, lines: Buffer = Buffer.of()) =>
  splitLines(lines).map((bytes, i) => ({ where: i === 0 ? where : `${where}, ${i + 1}`, bytes }));

/** Endings of statements of how a file was made: the one that cosign reads, and all others, a line each. */
export const [STATEMENT, OLDER_STATEMENTS] = [".intoto.jsonl", ".older.intoto.jsonl"] as const;

/** Endings of bills of materials beside a file; each is signed by a file with ".sig" more. */
export const BILLS = [".spdx.json", ".cdx.json"] as const;

/** As cosign writes one: base64, and a line break. */
export const decodeSignature = (text: Buffer): Buffer => Buffer.from(text.toString("latin1"), "base64");
