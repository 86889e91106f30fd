/**
 * Updates of authenticated EFI variables (UEFI 2.10 §8.2.2, EFI_VARIABLE_AUTHENTICATION_2): what `.auth` files hold. A
 * signed update is taken by firmware menus, by systemd-boot's enrolment and by the kernel's efivarfs.
 */
import { type Signer, signDetached } from "./pkcs7.ts";
import { guidBytes } from "./uuid.ts";

export const EFI_GLOBAL_VARIABLE = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
export const EFI_IMAGE_SECURITY_DATABASE = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";

/** Non-volatile, boot services, runtime, time-based authenticated. */
export const SECURE_ATTRIBUTES = 0x27;

export type SecureVariable = "PK" | "KEK" | "db" | "dbx";

export const vendorOf = (name: SecureVariable): string =>
  name === "PK" || name === "KEK" ? EFI_GLOBAL_VARIABLE : EFI_IMAGE_SECURITY_DATABASE;

const CERT_TYPE_PKCS7 = "4aafd29d-68df-49ee-8aa9-347d375665a7";
const WIN_CERTIFICATE_HEADER = 24;
const REVISION_2 = 0x0200;
const TYPE_EFI_GUID = 0x0ef1;

export interface VariableUpdate {
  readonly name: SecureVariable;
  /** Signature lists; empty takes the variable away. */
  readonly data: Uint8Array;
  /** Milliseconds since the epoch. Firmware refuses an update that is not newer than the one before. */
  readonly time: number;
}

/** An `.auth` file: signed by the owner of the key above (PK and KEK by PK, db and dbx by KEK or PK). */
export async function encodeVariableUpdate(signer: Signer, { name, data, time }: VariableUpdate): Promise<Buffer> {
  const timestamp = efiTime(time);
  const attributes = Buffer.alloc(4);
  attributes.writeUInt32LE(SECURE_ATTRIBUTES);
  const signed = Buffer.concat([Buffer.from(name, "utf16le"), guidBytes(vendorOf(name)), attributes, timestamp, data]);
  const signature = await signDetached(signer, signed, { bare: true });
  const head = Buffer.alloc(WIN_CERTIFICATE_HEADER);
  head.writeUInt32LE(WIN_CERTIFICATE_HEADER + signature.length, 0);
  head.writeUInt16LE(REVISION_2, 4);
  head.writeUInt16LE(TYPE_EFI_GUID, 6);
  head.set(guidBytes(CERT_TYPE_PKCS7), 8);
  return Buffer.concat([timestamp, head, signature, data]);
}

/** EFI_TIME, 16 bytes; whatever is finer than a second must be zero here. */
export function efiTime(ms: number): Buffer {
  const time = new Date(ms);
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(time.getUTCFullYear(), 0);
  bytes[2] = time.getUTCMonth() + 1;
  bytes[3] = time.getUTCDate();
  bytes[4] = time.getUTCHours();
  bytes[5] = time.getUTCMinutes();
  bytes[6] = time.getUTCSeconds();
  return bytes;
}
