/** The signed TPM policies of a UKI (`.pcrsig`): each must be one that this very image reaches, and signed by its `.pcrpkey`. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { type Pcr11, predictPcr11 } from "../formats/pcr11.ts";
import { keyFingerprint, pcrPolicyDigest } from "../formats/tpm-policy.ts";

export interface PcrReport {
  /** What the stub will have measured, and what PCR 11 is after each phase; undefined when it is not known. */
  readonly states: readonly Pcr11[] | undefined;
  /** What is wrong with the policies; empty when all is right, or there are none. */
  readonly problems: readonly string[];
}

/** `signatures`, `key`: the text of `.pcrsig` and `.pcrpkey`. Of other banks than SHA-256 nothing is said. */
export function verifyTpmPolicies(
  source: ByteSource,
  { where, signatures, key }: { where: string; signatures: string | undefined; key: string | undefined },
): PcrReport {
  const states = predict(source, where);
  if (signatures === undefined || states === undefined) return { states, problems: [] };
  if (key === undefined) return { states, problems: ["signed TPM policies (.pcrsig), but no key (.pcrpkey)"] };
  const known = new Map(states.map(({ phase, value }) => [pcrPolicyDigest(value).toString("hex"), phase]));
  const publicKey = readKey(key, where);
  const problems = readEntries(signatures, where).flatMap(({ pcrs, pkfp, pol, sig }) => {
    if (JSON.stringify(pcrs) !== "[11]") return [`a TPM policy of registers ${JSON.stringify(pcrs)}`];
    if (!known.has(pol)) return [`the TPM policy ${pol} is of something else than this image`];
    if (pkfp !== keyFingerprint(publicKey)) return [`the TPM policy ${pol} names another key than .pcrpkey`];
    const good = verify("sha256", Buffer.from(pol, "hex"), publicKey, Buffer.from(sig, "base64"));
    return good ? [] : [`the signature of the TPM policy ${pol} is not by .pcrpkey`];
  });
  return { states, problems };
}

function predict(source: ByteSource, where: string): readonly Pcr11[] | undefined {
  try {
    return predictPcr11(source, where);
  } catch (error) {
    if (hasCode(error, "UNSUPPORTED")) return undefined;
    throw error;
  }
}

function readKey(pem: string, where: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "rsa") return key;
  } catch {}
  throw new BootwrightError("FORMAT_INVALID", `${where}: .pcrpkey is no RSA key in PEM`);
}

interface Entry {
  readonly pcrs: unknown;
  readonly pkfp: string;
  readonly pol: string;
  readonly sig: string;
}

function readEntries(text: string, where: string): readonly Entry[] {
  const invalid = () => new BootwrightError("FORMAT_INVALID", `${where}: .pcrsig is not as systemd-measure writes it`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid();
  }
  const list = (value as { sha256?: unknown } | null)?.sha256 ?? [];
  if (!Array.isArray(list)) throw invalid();
  return list.map((one: Partial<Entry> | null) => {
    const { pcrs, pkfp, pol, sig } = one ?? {};
    if (typeof pkfp !== "string" || typeof pol !== "string" || typeof sig !== "string") throw invalid();
    return { pcrs, pkfp, pol, sig };
  });
}
