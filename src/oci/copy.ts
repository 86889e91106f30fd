/**
 * Copies what a document names, lowest first, and the document last: whoever finds it finds all of it. Documents go byte for
 * byte, so every digest stays.
 */
import { BootwrightError } from "../base/errors.ts";
import { isOciIndex, isOciManifest, type OciDescriptor } from "../formats/oci.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import type { ContentSource, ContentTarget } from "./content.ts";
import type { Document } from "./manifests.ts";

export interface CopyOptions {
  /** The name of the whole at its target; without one it is under its digest only. */
  readonly tag?: string | undefined;
  readonly on?: (event: CopyEvent) => void;
  readonly signal?: AbortSignal | undefined;
}

export type CopyEvent =
  | { readonly type: "start"; readonly descriptor: OciDescriptor }
  | { readonly type: "progress"; readonly descriptor: OciDescriptor; readonly done: number }
  | { readonly type: "done"; readonly descriptor: OciDescriptor; readonly how: "present" | "mounted" | "uploaded" };

export interface Copied {
  /** Bytes of blobs that were sent. */
  readonly sent: number;
  /** Blobs that were there already, or that the registry took from elsewhere. */
  readonly spared: number;
}

/** Indexes in indexes. */
const MAX_DEPTH = 4;
const AT_ONCE = 3;

/** Throws what reading and writing throw. */
export async function copyContent(
  root: Document,
  { from, to, ...options }: CopyOptions & { readonly from: ContentSource; readonly to: ContentTarget },
): Promise<Copied> {
  const copy = new Copy(from, to, options);
  await copy.document(root, 0);
  await to.putDocument(root, { tag: options.tag });
  return { sent: copy.sent, spared: copy.spared };
}

class Copy {
  sent = 0;
  spared = 0;
  readonly #from: ContentSource;
  readonly #to: ContentTarget;
  readonly #options: CopyOptions;
  /** Images share layers. */
  readonly #blobs = new Map<string, Promise<void>>();
  readonly #turns = new Turns(AT_ONCE);

  constructor(from: ContentSource, to: ContentTarget, options: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
  }

  /** All that a document names. */
  async document(document: Document, depth: number): Promise<void> {
    const what = `${this.#from.label}: sha256:${document.hash.slice(0, 12)}`;
    const content = parseOciContent(document.bytes, document.mediaType, what);
    if (content.kind === "manifest") {
      await allOf([content.config, ...content.layers].map((descriptor) => this.#blob(descriptor)));
      return;
    }
    if (depth === MAX_DEPTH)
      throw new BootwrightError("LIMIT_EXCEEDED", `${what}: indexes lie more than ${MAX_DEPTH} deep`);
    for (const descriptor of content.manifests) {
      this.#options.signal?.throwIfAborted();
      if (!isOciIndex(descriptor) && !isOciManifest(descriptor)) {
        await this.#blob(descriptor);
        continue;
      }
      const inner = await this.#from.document(descriptor);
      await this.document(inner, depth + 1);
      if (!(await this.#to.hasDocument(inner))) await this.#to.putDocument(inner, { descriptor });
    }
  }

  #blob(descriptor: OciDescriptor): Promise<void> {
    let copied = this.#blobs.get(descriptor.hash);
    if (copied === undefined) {
      copied = this.#turns.take(() => this.#copyBlob(descriptor));
      this.#blobs.set(descriptor.hash, copied);
    }
    return copied;
  }

  async #copyBlob(descriptor: OciDescriptor): Promise<void> {
    const { on, signal } = this.#options;
    signal?.throwIfAborted();
    on?.({ type: "start", descriptor });
    const how = await this.#to.putBlob(this.#from.blob(descriptor), (done) =>
      on?.({ type: "progress", descriptor, done }),
    );
    if (how === "uploaded") this.sent += descriptor.size;
    else this.spared++;
    on?.({ type: "done", descriptor, how });
  }
}

/** At most so many at once. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(body: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await body();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** Waits for all before it throws: nothing goes on behind an error. */
async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
