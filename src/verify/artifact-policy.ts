/**
 * An artifact by its digest, held against a policy: who signed it, who says how it was made, and whether that is allowed. Works on
 * what was read, so it needs no network. All that is read may be hostile.
 */
import type { KeyObject } from "node:crypto";
import { isBootwrightError } from "../base/errors.ts";
import { parseEnvelope, signersOf, verifyBytes } from "../formats/dsse.ts";
import { INTOTO_PAYLOAD, parseStatement } from "../formats/intoto.ts";
import { parseSimpleSigning } from "../formats/simple-signing.ts";
import { parseSlsaProvenance, type SlsaProvenance } from "../formats/slsa-provenance.ts";
import { type BillReport, signedBills } from "./bills.ts";
import type { Violation } from "./policy.ts";

export interface NamedKey {
  /** For people: the file. */
  readonly name: string;
  readonly publicKey: KeyObject;
}

export interface ProvenancePolicy {
  /** One of these must have signed. */
  readonly keys: readonly NamedKey[];
  /** Who may have built: URIs. Undefined: anybody whom a key vouches for. */
  readonly builders: readonly string[] | undefined;
  /** What a source's address must match, with `*` for any text. Undefined: anything. */
  readonly sources: readonly string[] | undefined;
  /** SHA-256 that files of the config may have. Undefined: any. */
  readonly config: readonly string[] | undefined;
  /** Commit that it must be made from. Undefined: any. */
  readonly commit?: string | undefined;
  /** Each source must have a digest. */
  readonly pinned?: boolean | undefined;
  readonly require: {
    /** A statement of how it was made. */
    readonly statement: boolean;
    /** A signature of the artifact itself. */
    readonly signature: boolean;
  };
}

export interface FoundEvidence {
  /** SHA-256 of the artifact. */
  readonly hash: string;
  /** Envelopes, by where they were found. */
  readonly envelopes: readonly { readonly where: string; readonly bytes: Uint8Array }[];
  /** Of a document that names the artifact, or of its own bytes: then it is known who signed them. */
  readonly signatures: readonly (
    | { readonly where: string; readonly signature: Uint8Array; readonly payload: Uint8Array }
    | { readonly where: string; readonly signedBy: readonly string[] }
  )[];
  /** Bills of materials that are files of their own. Attached ones are envelopes. */
  readonly bills: readonly {
    readonly where: string;
    readonly bytes: Buffer;
    readonly signature: Uint8Array | undefined;
  }[];
}

/** Takes note of what was found and does not count. */
export type Pass = (where: string, code: string, message: string) => void;

export interface ArtifactReport {
  readonly digest: string;
  readonly statements: readonly StatementReport[];
  readonly signedBy: readonly string[];
  /** Of what it consists. */
  readonly bills: readonly BillReport[];
  /** What was found and does not count, with the reason. */
  readonly passedOver: readonly { readonly where: string; readonly code: string; readonly message: string }[];
  readonly violations: readonly Violation[];
}

export interface StatementReport {
  readonly where: string;
  readonly signedBy: readonly string[];
  readonly builder: string;
  readonly buildType: string;
  readonly config: readonly string[];
  readonly sources: number;
  readonly commits: readonly string[];
}

export function verifyArtifact(found: FoundEvidence, policy: ProvenancePolicy): ArtifactReport {
  const passedOver: { where: string; code: string; message: string }[] = [];
  const pass: Pass = (where, code, message) => void passedOver.push({ where, code, message });
  const bills = signedBills(found, { keys: policy.keys, pass });
  const others = found.envelopes.filter(({ where }) => !bills.some((one) => one.where === where));
  const read = others.flatMap(({ where, bytes }) => {
    try {
      return readStatement(bytes, { where, hash: found.hash, keys: policy.keys, pass }) ?? [];
    } catch (error) {
      if (!isBootwrightError(error)) throw error;
      pass(where, error.code, error.message);
      return [];
    }
  });
  const signedBy = signersOfArtifact(found, { policy, pass });
  return {
    digest: `sha256:${found.hash}`,
    statements: read.map(({ where, signedBy, provenance }) => ({
      ...{ where, signedBy, builder: provenance.builder, buildType: provenance.buildType },
      ...{ config: provenance.config, sources: provenance.sources.length },
      commits: provenance.commits,
    })),
    ...{ signedBy, bills },
    passedOver,
    violations: [
      ...(policy.require.statement ? bestStatement(read, policy) : []),
      ...(policy.require.signature && signedBy.length === 0
        ? [violation("artifact-signature", "artifact", "it is not signed", `a signature by ${names(policy.keys)}`)]
        : []),
    ],
  };
}

interface TrustedStatement {
  readonly where: string;
  readonly signedBy: readonly string[];
  readonly provenance: SlsaProvenance;
}

/** Nothing of a payload is read before its signature holds. */
function readStatement(
  bytes: Uint8Array,
  { where, hash, keys, pass }: { where: string; hash: string; keys: readonly NamedKey[]; pass: Pass },
): TrustedStatement | undefined {
  const envelope = parseEnvelope(bytes, where);
  const signers = signersOf(envelope, keys);
  if (signers.length === 0) {
    pass(where, "SIGNATURE_INVALID", "signed by nobody who is trusted");
    return undefined;
  }
  if (envelope.payloadType !== INTOTO_PAYLOAD) {
    pass(where, "UNSUPPORTED", `an envelope around ${JSON.stringify(envelope.payloadType)}`);
    return undefined;
  }
  const statement = parseStatement(envelope.payload, where);
  if (!statement.subjects.some(({ sha256 }) => sha256 === hash)) {
    pass(where, "DIGEST_MISMATCH", `it is not about sha256:${hash}`);
    return undefined;
  }
  const provenance = parseSlsaProvenance(statement, where);
  return { where, signedBy: signers.map(({ name }) => name), provenance };
}

/** One statement that holds is enough; of several that do not, what is wrong with the nearest is told. */
function bestStatement(statements: readonly TrustedStatement[], policy: ProvenancePolicy): readonly Violation[] {
  if (statements.length === 0)
    return [
      violation(
        "provenance",
        "artifact",
        "no statement of how it was made counts",
        `a SLSA provenance of it, signed by ${names(policy.keys)}`,
      ),
    ];
  const wrong = statements.map((one) => wrongIn(one, policy));
  return wrong.sort((a, b) => a.length - b.length)[0]!;
}

function wrongIn({ where, provenance }: TrustedStatement, policy: ProvenancePolicy): readonly Violation[] {
  const { builders, sources, config, commit } = policy;
  const found: Violation[] = [];
  if (builders !== undefined && !builders.includes(provenance.builder))
    found.push(violation("builder", where, `built by ${shown(provenance.builder)}`, builders.join(" or ")));
  const others = config === undefined ? [] : provenance.config.filter((one) => !config.includes(one));
  if (config !== undefined && (others.length > 0 || provenance.config.length === 0))
    found.push(
      violation(
        "config",
        where,
        `made from a config of sha256:${others[0] ?? " (it names none)"}`,
        config.join(" or "),
      ),
    );
  if (commit !== undefined && !provenance.commits.includes(commit))
    found.push(violation("commit", where, `made from commit ${provenance.commits[0] ?? "(it names none)"}`, commit));
  const unpinned = policy.pinned === true ? provenance.sources.filter(({ digest }) => digest.size === 0) : [];
  found.push(
    ...someOf(unpinned, ({ name, uri }) => violation("unpinned", where, `made from ${shown(uri || name)}`, "a digest")),
  );
  const allowed = sources?.map(matcher);
  const strange = sources === undefined ? [] : provenance.sources.filter(({ uri }) => !allowed!.some((it) => it(uri)));
  found.push(
    ...someOf(strange, ({ name, uri }) =>
      violation("source", where, `made from ${shown(uri || name)}`, sources!.join(" or ")),
    ),
  );
  return found;
}

/** Sources that are not allowed are named up to here. */
const MAX_TOLD = 20;

function someOf<T>(all: readonly T[], tell: (one: T) => Violation): readonly Violation[] {
  const told = all.slice(0, MAX_TOLD).map(tell);
  const rest = all.length - told.length;
  return rest === 0 ? told : [...told, { ...told[0]!, message: `and from ${rest} more` }];
}

function signersOfArtifact(
  { hash, signatures }: FoundEvidence,
  { policy, pass }: { policy: ProvenancePolicy; pass: Pass },
): readonly string[] {
  const all = signatures.flatMap((one) => {
    const { where } = one;
    if ("signedBy" in one) {
      if (one.signedBy.length === 0) pass(where, "SIGNATURE_INVALID", "not signed by a key that is trusted");
      return one.signedBy;
    }
    const signers = policy.keys.filter(({ publicKey }) => verifyBytes(one.payload, { ...one, publicKey }));
    if (signers.length === 0) pass(where, "SIGNATURE_INVALID", "not signed by a key that is trusted");
    return signers.length > 0 && isAbout(one.payload, { hash, where, pass }) ? signers.map(({ name }) => name) : [];
  });
  return [...new Set(all)];
}

function isAbout(payload: Uint8Array, { hash, where, pass }: { hash: string; where: string; pass: Pass }): boolean {
  try {
    const about = parseSimpleSigning(payload, where);
    if (about === hash) return true;
    pass(where, "DIGEST_MISMATCH", `it is a signature of sha256:${about}`);
  } catch (error) {
    if (!isBootwrightError(error)) throw error;
    pass(where, error.code, error.message);
  }
  return false;
}

/** No regular expression of the policy's text: `*` alone stands for any text, and matching takes no more than a walk. */
function matcher(pattern: string): (text: string) => boolean {
  const [first = "", ...rest] = pattern.split("*");
  return (text) => {
    if (rest.length === 0) return text === first;
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest.slice(0, -1)) {
      const next = text.indexOf(part, at);
      if (next === -1) return false;
      at = next + part.length;
    }
    const last = rest.at(-1)!;
    return text.length - at >= last.length && text.endsWith(last);
  };
}

const names = (keys: readonly NamedKey[]): string => keys.map(({ name }) => name).join(" or ");
/** Of a signed document, yet written by anybody. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 200));

const violation = (rule: Violation["rule"], where: string, message: string, expected: string): Violation => ({
  ...{ rule, where, message, expected },
});
