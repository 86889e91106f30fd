/**
 * The signature behind a kernel module (kernel Documentation/admin-guide/module-signing.rst, include/linux/module_signature.h):
 * detached PKCS #7 without certificates (the bytes that the kernel's scripts/sign-file makes), 12 bytes that say how long it is, and a last line by which the kernel finds it.
 */
import { BootwrightError } from "../base/errors.ts";
import { type Signer, signDetached } from "./pkcs7.ts";

const MAGIC = Buffer.from("~Module signature appended~\n");
const TRAILER = 12;
/** PKEY_ID_PKCS7; algorithm, hash, and the lengths of name and key id are zero with it. */
const ID_PKCS7 = 2;

export interface SignedModule {
  /** What is signed: the module's ELF file. */
  readonly module: Buffer;
  /** PKCS #7, DER; undefined: there is none. */
  readonly signature: Buffer | undefined;
}

/** Takes module and signature apart. Throws FORMAT_INVALID when the trailer does not fit the file; `what` names it. */
export function splitModule(file: Buffer, what: string): SignedModule {
  const end = file.length - MAGIC.length;
  if (end < 0 || !file.subarray(end).equals(MAGIC)) return { module: file, signature: undefined };
  const at = end - TRAILER;
  const invalid = (why: string) => new BootwrightError("FORMAT_INVALID", `${what}: module signature ${why}`);
  if (at < 0) throw invalid("without a trailer");
  if (file[at + 2] !== ID_PKCS7 || [0, 1, 3, 4, 5, 6, 7].some((i) => file[at + i] !== 0))
    throw invalid("is not PKCS #7");
  const length = file.readUInt32BE(at + 8);
  if (length === 0 || length >= at) throw invalid(`of ${length} bytes in a file of ${file.length}`);
  return { module: file.subarray(0, at - length), signature: file.subarray(at - length, at) };
}

/** What the kernel checks: PKCS #7 over the module without any signature. */
export const signModule = (signer: Signer, module: Uint8Array): Promise<Buffer> =>
  signDetached(signer, module, { bare: false, certificates: false, plainDigest: true });

export function appendSignature(module: Uint8Array, signature: Uint8Array): Buffer {
  const trailer = Buffer.alloc(TRAILER);
  trailer[2] = ID_PKCS7;
  trailer.writeUInt32BE(signature.length, 8);
  return Buffer.concat([module, signature, trailer, MAGIC]);
}
