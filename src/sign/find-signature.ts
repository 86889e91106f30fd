/** An answer in the project's `signatures/`. */
import type { TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { signatureName, type WantedSignature } from "./wanted-signature.ts";

/** Bytes; one of RSA-4096 with its certificate has about 3,000. */
const MAX_SIGNATURE = 1024 * 1024;

export function findSignature(
  store: Store,
  { signatures, wanted }: { signatures: TreeArtifact | undefined; wanted: WantedSignature },
): Uint8Array | undefined {
  if (signatures === undefined) return undefined;
  const entry = store.getTree(signatures).find(({ path }) => path === signatureName(wanted));
  return entry?.type === "file" && entry.content.size <= MAX_SIGNATURE ? store.readContent(entry.content) : undefined;
}
