/** An answer in the project's `signatures/`. */
import type { TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { signatureName, type WantedSignature } from "./wanted-signature.ts";

/** Bytes; one of RSA-4096 with its certificate has about 3,000. */
const MAX_SIGNATURE = 1024 * 1024;

/** For whoever looks for many: the directory is read once. */
export function signatureFinder(
  store: Store,
  signatures: TreeArtifact | undefined,
): (wanted: Pick<WantedSignature, "kind" | "digest" | "certificate">) => Uint8Array | undefined {
  const entries = new Map(
    signatures === undefined ? [] : store.getTree(signatures).map((entry) => [entry.path, entry]),
  );
  return (wanted) => {
    const entry = entries.get(signatureName(wanted));
    return entry?.type === "file" && entry.content.size <= MAX_SIGNATURE ? store.readContent(entry.content) : undefined;
  };
}

export const findSignature = (
  store: Store,
  { signatures, wanted }: { signatures: TreeArtifact | undefined; wanted: WantedSignature },
): Uint8Array | undefined => signatureFinder(store, signatures)(wanted);
