/** Where content lies and where it goes: a registry's repository or a layout. What copies knows no more than this. */
import type { Digest } from "../base/digest.ts";
import type { OciDescriptor } from "../formats/oci.ts";
import type { BlobSource } from "./blob.ts";
import type { Document } from "./manifests.ts";

export interface ContentSource {
  /** For people. */
  readonly label: string;
  /** A manifest or index by its digest; verified. */
  document(descriptor: Pick<OciDescriptor, "hash" | "size" | "mediaType">): Promise<Document>;
  blob(digest: Digest): BlobSource;
}

export interface ContentTarget {
  readonly label: string;
  hasDocument(digest: Digest): Promise<boolean>;
  /** Looks first whether it is there. Gives the bytes that were sent. */
  putBlob(blob: BlobSource, progress: (done: number) => void): Promise<"present" | "mounted" | "uploaded">;
  /** All that it names is there already. `descriptor` is what an index above says of it. */
  putDocument(
    document: Document,
    options: { readonly tag?: string | undefined; readonly descriptor?: OciDescriptor },
  ): Promise<void>;
}
