/** Bills of materials that somebody who is trusted has signed: as statements, or as files with a signature beside each. */
import { isBootwrightError } from "../base/errors.ts";
import { parseBillStatement } from "../formats/bill-statement.ts";
import { parseEnvelope, signersOf, verifyBytes } from "../formats/dsse.ts";
import { PREDICATES, parseStatement, type Statement } from "../formats/intoto.ts";
import type { FoundEvidence, NamedKey, Pass } from "./artifact-policy.ts";

export interface BillReport {
  readonly where: string;
  readonly signedBy: readonly string[];
}

/** What is damaged, a stranger's, or about something else is passed over; envelopes of other statements are none of ours. */
export function signedBills(
  { hash, envelopes, bills }: Pick<FoundEvidence, "hash" | "envelopes" | "bills">,
  { keys, pass }: { readonly keys: readonly NamedKey[]; readonly pass: Pass },
): readonly BillReport[] {
  const isAbout = ({ subjects }: Statement) => subjects.some(({ sha256 }) => sha256 === hash);
  const attached = envelopes.flatMap(({ where, bytes }) => {
    const envelope = unlessDamaged(() => parseEnvelope(bytes, where));
    const signers = envelope === undefined ? [] : signersOf(envelope, keys);
    const statement = signers.length === 0 ? undefined : unlessDamaged(() => parseStatement(envelope!.payload, where));
    return statement !== undefined && isBill(statement) && isAbout(statement) ? [reportOf(where, signers)] : [];
  });
  const beside = bills.flatMap(({ where, bytes, signature }) => {
    // Nothing of it is read before its signature holds.
    const signers = keys.filter(
      ({ publicKey }) => signature !== undefined && verifyBytes(bytes, { publicKey, signature }),
    );
    if (signers.length === 0) {
      pass(
        where,
        "SIGNATURE_INVALID",
        signature === undefined ? "it is not signed" : "signed by nobody who is trusted",
      );
      return [];
    }
    try {
      const statement = parseBillStatement(bytes, where);
      if (statement !== undefined && isAbout(statement)) return [reportOf(where, signers)];
      pass(where, "DIGEST_MISMATCH", `it is no bill of sha256:${hash}`);
    } catch (error) {
      if (!isBootwrightError(error)) throw error;
      pass(where, error.code, error.message);
    }
    return [];
  });
  return [...attached, ...beside];
}

const reportOf = (where: string, signers: readonly NamedKey[]): BillReport => ({
  where,
  signedBy: signers.map(({ name }) => name),
});

const isBill = ({ predicateType }: Statement): boolean =>
  predicateType === PREDICATES.spdx || predicateType === PREDICATES.cyclonedx;

function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isBootwrightError(error)) return undefined;
    throw error;
  }
}
