/** What a machine is given so that it starts only what the project has signed: the contents of PK, KEK, db and dbx. */
import { type EfiSignature, encodeSignatureLists } from "../formats/efi-signature-list.ts";
import {
  efiTime,
  encodeVariableUpdate,
  SECURE_ATTRIBUTES,
  type SecureVariable,
  vendorOf,
} from "../formats/efi-variable.ts";
import type { EfiVariable } from "../formats/efi-variable-store.ts";
import type { Signer } from "../formats/pkcs7.ts";
import { seededUuid } from "../formats/uuid.ts";
import type { Certificate } from "../formats/x509.ts";

export interface Enrolment {
  readonly pk: Certificate;
  readonly kek: Certificate;
  readonly db: readonly Certificate[];
  /** Certificates, or Authenticode digests in hex. */
  readonly dbx: readonly (Certificate | string)[];
  /** The owner's GUID in every entry is made from it. */
  readonly seed: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

export type SecureVariables = Readonly<Partial<Record<SecureVariable, Buffer>>>;

/** Signature lists by variable; without dbx when nothing is revoked. */
export function enrolmentLists({ pk, kek, db, dbx, seed }: Enrolment): SecureVariables {
  const owner = seededUuid(seed, "secure boot owner");
  const entry = (one: Certificate | string): EfiSignature =>
    typeof one === "string"
      ? { type: "sha256", owner, data: Buffer.from(one, "hex") }
      : { type: "x509", owner, data: one.der };
  const lists = (all: readonly (Certificate | string)[]) => encodeSignatureLists(all.map(entry));
  return { PK: lists([pk]), KEK: lists([kek]), db: lists(db), ...(dbx.length > 0 && { dbx: lists(dbx) }) };
}

/** As a firmware keeps them that has enrolled them itself. */
export const enrolledVariables = (enrolment: Enrolment): readonly EfiVariable[] =>
  (Object.entries(enrolmentLists(enrolment)) as [SecureVariable, Buffer][]).map(([name, data]) => ({
    ...{ name, vendor: vendorOf(name), attributes: SECURE_ATTRIBUTES, data, timestamp: efiTime(enrolment.time) },
  }));

/**
 * Signed updates: KEK and PK by PK, db and dbx by KEK. db goes first and PK last: from then on the firmware takes
 * nothing unsigned.
 */
export async function enrolmentUpdates(
  enrolment: Enrolment,
  { pk, kek }: { readonly pk: Signer; readonly kek: Signer },
): Promise<SecureVariables> {
  const updates: Partial<Record<SecureVariable, Buffer>> = {};
  for (const [name, data] of Object.entries(enrolmentLists(enrolment)) as [SecureVariable, Buffer][]) {
    const signer = name === "PK" || name === "KEK" ? pk : kek;
    updates[name] = await encodeVariableUpdate(signer, { name, data, time: enrolment.time });
  }
  return updates;
}
