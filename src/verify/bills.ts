/** Bills of materials that somebody who is trusted has signed. */
import type { KeyObject } from "node:crypto";
import { isBootwrightError } from "../base/errors.ts";
import { parseEnvelope, signersOf } from "../formats/dsse.ts";
import { PREDICATES, parseStatement } from "../formats/intoto.ts";
import type { FoundEvidence } from "./artifact-policy.ts";

/** Where they are. What is damaged, a stranger's, or about something else is passed over. */
export function signedBills(
  { hash, envelopes }: Pick<FoundEvidence, "hash" | "envelopes">,
  keys: readonly { readonly publicKey: KeyObject }[],
): readonly string[] {
  return envelopes.flatMap(({ where, bytes }) => {
    try {
      const envelope = parseEnvelope(bytes, where);
      if (signersOf(envelope, keys).length === 0) return [];
      const { predicateType, subjects } = parseStatement(envelope.payload, where);
      const isBill = predicateType === PREDICATES.spdx || predicateType === PREDICATES.cyclonedx;
      return isBill && subjects.some(({ sha256 }) => sha256 === hash) ? [where] : [];
    } catch (error) {
      if (isBootwrightError(error)) return [];
      throw error;
    }
  });
}
