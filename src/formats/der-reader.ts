/**
 * Reads DER (ITU-T X.690), strictly: what has several encodings in BER is taken in its one DER form only, so that bytes
 * that were signed cannot be read in another way. Depth is bounded by whoever walks; nothing is copied.
 */
import { formatError } from "./byte-reader.ts";
import { DER } from "./der.ts";

export interface DerNode {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag and length included. */
  readonly raw: Uint8Array;
}

/** Exactly one element. `what` stands in errors. Throws FORMAT_INVALID. */
export function readDer(bytes: Uint8Array, what: string): DerNode {
  const node = readFirstDer(bytes, { at: 0, what });
  if (node.raw.length !== bytes.length) throw formatError(what, node.raw.length, "the end of the data");
  return node;
}

/** The element at an offset of bytes that may go on. */
export function readFirstDer(bytes: Uint8Array, { at, what }: { at: number; what: string }): DerNode {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw formatError(what, at, "a DER element");
  if ((tag & 0x1f) === 0x1f) throw formatError(what, at, "a DER element with a short tag");
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw formatError(what, at, "a DER length below 4 GiB");
    length = 0;
    for (let i = 0; i < count; i++) {
      const byte = bytes[start + i];
      if (byte === undefined) throw formatError(what, at, "a whole DER length");
      length = length * 256 + byte;
    }
    start += count;
    if (length < 0x80 || length < 256 ** (count - 1)) throw formatError(what, at, "the shortest form of a DER length");
  }
  if (start + length > bytes.length) throw formatError(what, at, `${length} bytes of a DER element`);
  return { tag, content: bytes.subarray(start, start + length), raw: bytes.subarray(at, start + length) };
}

/** Walks the members of a structure in order: each is asked for by its tag. */
export class DerMembers {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  constructor(node: DerNode, what: string) {
    this.#bytes = node.content;
    this.#what = what;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next element, which must have this tag. */
  next(tag: number): DerNode {
    const at = this.#at;
    const node = this.any();
    if (node.tag !== tag) throw formatError(this.#what, at, `a DER element of tag ${hex(tag)}, not ${hex(node.tag)}`);
    return node;
  }

  /** The next element when it has this tag. */
  optional(tag: number): DerNode | undefined {
    return !this.done && this.#bytes[this.#at] === tag ? this.any() : undefined;
  }

  any(): DerNode {
    const node = readFirstDer(this.#bytes, { at: this.#at, what: this.#what });
    this.#at += node.raw.length;
    return node;
  }

  /** Throws when something is left. */
  end(): void {
    if (!this.done) throw formatError(this.#what, this.#at, "the end of a DER structure");
  }
}

export const membersOf = (node: DerNode, what: string): DerMembers => new DerMembers(node, what);

/** All members of a SET or SEQUENCE. */
export function derList(node: DerNode, what: string): readonly DerNode[] {
  const members = membersOf(node, what);
  const list: DerNode[] = [];
  while (!members.done) list.push(members.any());
  return list;
}

/** "1.2.840.113549.1.7.2". */
export function derOidText({ tag, content }: DerNode, what: string): string {
  if (tag !== DER.oid || content.length === 0 || content.at(-1)! >= 0x80)
    throw formatError(what, 0, "an object identifier");
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > 2 ** 48) throw formatError(what, 0, "an object identifier with smaller numbers");
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first, ...rest] = arcs as [number, ...number[]];
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join(".");
}

const hex = (tag: number): string => `0x${tag.toString(16).padStart(2, "0")}`;
