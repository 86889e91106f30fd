/** Bytes of any size held against a signature that lies beside them: read once, for digest and keys together. */
import { createVerify } from "node:crypto";
import { DigestCounter } from "../base/digest.ts";
import { verifyBytes } from "../formats/dsse.ts";
import type { NamedKey } from "./artifact-policy.ts";

/** Ed25519 signs whole messages: up to here. Bytes. */
const MAX_WHOLE = 256 * 1024 * 1024;

export async function readSignedBytes(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { signature, keys }: { readonly signature: Uint8Array | undefined; readonly keys: readonly NamedKey[] },
): Promise<{ readonly hash: string; readonly signedBy: readonly string[] }> {
  const counter = new DigestCounter();
  const asked = signature === undefined ? [] : keys;
  const whole: Uint8Array[] | undefined = asked.some(isWhole) ? [] : undefined;
  const streams = asked.filter((key) => !isWhole(key)).map((key) => ({ key, verify: createVerify("sha256") }));
  for await (const chunk of chunks) {
    counter.update(chunk);
    for (const { verify } of streams) verify.update(chunk);
    if (whole !== undefined && counter.size <= MAX_WHOLE) whole.push(Buffer.from(chunk));
  }
  const bytes = whole === undefined || counter.size > MAX_WHOLE ? undefined : Buffer.concat(whole);
  const signers = [
    ...streams.filter(({ key, verify }) => verify.verify(key.publicKey, signature!)).map(({ key }) => key),
    ...asked.filter(
      (key) => isWhole(key) && bytes !== undefined && verifyBytes(bytes, { ...key, signature: signature! }),
    ),
  ];
  return { hash: counter.digest().hash, signedBy: signers.map(({ name }) => name) };
}

const isWhole = ({ publicKey }: NamedKey): boolean => publicKey.asymmetricKeyType === "ed25519";
