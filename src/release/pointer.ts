/** What an environment points at, and what had happened when it began to. */

import { isBootwrightError } from "../base/errors.ts";
import type { Chain } from "./chain.ts";
import { type ChainedEntry, decodeEntry, type RecordKeys } from "./entry.ts";
import { approversOf, foldRecord } from "./record-state.ts";

export interface Pointer {
  /** The promotion, or the rollback. */
  readonly entry: ChainedEntry;
  /** Who had approved it before, each once. */
  readonly approvers: readonly string[];
  /** Approvals of it that do not count, with the reason. */
  readonly passedOver: readonly { readonly serial: number; readonly message: string }[];
}

/** Undefined when nothing runs there. `chain`: without findings. `approvers`: whose approvals count; each approval is looked at anew. */
export function pointerOf(
  chain: Chain,
  { environment, approvers }: { environment: string; approvers: RecordKeys["approvers"] },
): Pointer | undefined {
  const moves = (one: ChainedEntry) => one.action === "promote" || one.action === "rollback";
  const at = chain.entries.findLastIndex((one) => moves(one) && one.environment === environment);
  const entry = chain.entries[at];
  if (entry === undefined) return undefined;
  const passedOver: { serial: number; message: string }[] = [];
  const before = chain.entries.slice(0, at).map((one, i): ChainedEntry => {
    if (one.action !== "approve") return one;
    const refusal = refusalOf(chain.files[i]!, { approvers, what: `entry ${one.serial}` });
    const ofThis = one.environment === environment && one.releaseDigest === entry.releaseDigest;
    if (refusal !== undefined && ofThis) passedOver.push({ serial: one.serial, message: refusal });
    return { ...one, counts: refusal === undefined };
  });
  const { state } = foldRecord(before, chain.where);
  return { entry, passedOver, approvers: approversOf(state, { environment, digest: entry.releaseDigest }) };
}

/** Why an approval does not count; undefined when it does. */
function refusalOf(
  file: Buffer,
  { approvers, what }: { approvers: RecordKeys["approvers"]; what: string },
): string | undefined {
  try {
    const { counts, who } = decodeEntry(file, { keys: { record: [], approvers }, what });
    return counts ? undefined : `${what}: ${who} is no approver`;
  } catch (error) {
    if (isBootwrightError(error)) return error.message;
    throw error;
  }
}
