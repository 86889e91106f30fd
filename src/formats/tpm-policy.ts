/**
 * TPM policies that are bound to a value of PCR 11, and signatures over them in the form of systemd's `.pcrsig` section
 * (systemd-measure(1); TPM 2.0 Library, Part 3, TPM2_PolicyPCR and TPM2_PolicyAuthorize).
 */
import { createHash, type KeyObject } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";

const POLICY_PCR = 0x0000_017f; // TPM_CC_PolicyPCR
const ALGORITHM_SHA256 = 0x000b;
const PCR = 11;

/** The policy's digest: all that is ever signed. 32 bytes. `value`: of PCR 11, SHA-256 bank, hex. */
export function pcrPolicyDigest(value: string): Buffer {
  // TPML_PCR_SELECTION: one bank, three bytes of bits, one bit a register.
  const selection = Buffer.alloc(10);
  selection.writeUInt32BE(1, 0);
  selection.writeUInt16BE(ALGORITHM_SHA256, 4);
  selection[6] = 3;
  selection[7 + (PCR >> 3)] = 1 << (PCR & 7);
  const command = Buffer.alloc(4);
  command.writeUInt32BE(POLICY_PCR);
  const values = createHash("sha256").update(Buffer.from(value, "hex")).digest();
  return createHash("sha256").update(Buffer.alloc(32)).update(command).update(selection).update(values).digest();
}

export interface SignedPolicy {
  readonly policy: Uint8Array;
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  readonly signature: Uint8Array;
}

/** The `.pcrsig` section, byte for byte as systemd-measure writes it. */
export function encodePcrSignatures(signed: readonly SignedPolicy[], publicKey: KeyObject): string {
  const pkfp = keyFingerprint(publicKey);
  const entries = signed.map(({ policy, signature }) => ({
    ...{ pcrs: [PCR], pkfp, pol: Buffer.from(policy).toString("hex"), sig: Buffer.from(signature).toString("base64") },
  }));
  return `${JSON.stringify({ sha256: entries })}\n`;
}

/** The `.pcrpkey` section: PEM. Throws UNSUPPORTED for keys that are not RSA. */
export function encodePcrKey(publicKey: KeyObject, what: string): string {
  if (publicKey.asymmetricKeyType !== "rsa")
    throw new BootwrightError("UNSUPPORTED", `${what} is of type ${publicKey.asymmetricKeyType}`, {
      hint: "policies for TPMs are signed with RSA keys: `type: rsa2048`",
    });
  return publicKey.export({ type: "spki", format: "pem" }).toString();
}

/** SHA-256 of the key alone (PKCS #1), hex. */
export const keyFingerprint = (publicKey: KeyObject): string =>
  createHash("sha256")
    .update(publicKey.export({ type: "pkcs1", format: "der" }))
    .digest("hex");
