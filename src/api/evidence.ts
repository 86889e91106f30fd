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
    hash,
    envelopes: statements.map(({ bytes }, i) => ({ where: `statement ${i + 1}`, bytes })),
    signatures: signatures.map(({ bytes, signature }, i) => ({
      ...{ where: `signature ${i + 1}`, payload: bytes, signature: Buffer.from(signature, "base64") },
    })),
  };
  return { found, subject };
}

export interface Beside {
  readonly policy: ProvenancePolicy;
  /** Of the file whose name has that ending more. */
  readonly read: (ending: string) => Promise<Buffer | undefined>;
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

/** Throws what reading throws. */
export async function besideEvidence(name: string, { policy, read, chunks }: Beside): Promise<FoundEvidence> {
  const [signature, lines] = [await read(".sig"), await read(".intoto.jsonl")];
  const { hash, signedBy } = await readSignedBytes(chunks(), {
    signature: signature && Buffer.from(signature.toString("latin1"), "base64"),
    keys: policy.keys,
  });
  const where = `${name}.intoto.jsonl`;
  return {
    hash,
    envelopes: splitLines(lines ?? Buffer.of()).map((bytes, i) => ({
      where: i === 0 ? where : `${where}, ${i + 1}`,
      bytes,
    })),
    signatures: signature === undefined ? [] : [{ where: `${name}.sig`, signedBy }],
  };
}
