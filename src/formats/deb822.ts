/**
 * Debian's control syntax (deb822(5)): stanzas of "Field: value". A Packages file has 40 MB and 60,000 stanzas of which
 * a build needs a few, so the index finds where each package lies and only the stanzas that are asked for are parsed.
 */
import { formatError } from "./byte-reader.ts";

/** Field names are in lower case; continuation lines keep their line breaks, without the leading space. */
export type Stanza = ReadonlyMap<string, string>;

/** Parses one stanza. Throws FORMAT_INVALID for a line that is no field, or a field given twice. */
export function parseStanza(text: string, origin = "control file"): Stanza {
  const fields = new Map<string, string>();
  let name: string | undefined;
  let lines: string[] = [];
  const store = () => {
    if (name !== undefined) fields.set(name, lines.join("\n"));
  };
  let at = 0;
  for (const line of text.split("\n")) {
    const start = at;
    at += line.length + 1;
    if (line.startsWith("#")) continue;
    if (line.trim() === "") {
      if (fields.size > 0 || name !== undefined) break;
      continue;
    }
    if (line.startsWith(" ") || line.startsWith("\t")) {
      if (name === undefined) throw formatError(origin, start, "a field before a continuation line");
      lines.push(line.slice(1).trimEnd());
      continue;
    }
    store();
    const colon = line.indexOf(":");
    if (colon < 1 || !FIELD_NAME.test(line.slice(0, colon))) throw formatError(origin, start, '"Field: value"');
    name = line.slice(0, colon).toLowerCase();
    if (fields.has(name)) throw formatError(origin, start, `field ${name} only once`);
    lines = [line.slice(colon + 1).trim()];
  }
  store();
  return fields;
}

/** All stanzas, one after the other, each parsed when it is asked for. */
export function* stanzas(bytes: Uint8Array, origin = "control file"): Generator<Stanza> {
  const buffer = asBuffer(bytes);
  for (let at = 0; at < buffer.length; ) {
    const gap = buffer.indexOf(GAP, at);
    const end = gap < 0 ? buffer.length : gap;
    const stanza = parseStanza(buffer.toString("utf8", at, end), origin);
    if (stanza.size > 0) yield stanza;
    at = end + GAP.length;
  }
}

/** Finds packages in a Packages file by name or by what they provide. */
export class PackagesIndex {
  readonly #bytes: Buffer;
  readonly #origin: string;
  readonly #byName = new Map<string, number[]>();
  #byProvision: Map<string, number[]> | undefined;

  /** One scan; no stanza is parsed. */
  constructor(bytes: Uint8Array, origin = "Packages") {
    this.#bytes = asBuffer(bytes);
    this.#origin = origin;
    for (const [value, at] of fieldValues(this.#bytes, "Package")) append(this.#byName, value, at);
  }

  get size(): number {
    return this.#byName.size;
  }

  names(): IterableIterator<string> {
    return this.#byName.keys();
  }

  /** All stanzas of that name (several versions or architectures may be listed), in file order. */
  find(name: string): readonly Stanza[] {
    return (this.#byName.get(name) ?? []).map((at) => this.#stanzaAt(at));
  }

  /** Stanzas where a single-line field has exactly that value, in file order. */
  having(field: string, value: string): readonly Stanza[] {
    return [...fieldValues(this.#bytes, field)].flatMap(([found, at]) => (found === value ? [this.#stanzaAt(at)] : []));
  }

  /** Stanzas whose Provides field names it (virtual packages), in file order. */
  findProviders(name: string): readonly Stanza[] {
    this.#byProvision ??= this.#scanProvisions();
    return (this.#byProvision.get(name) ?? []).map((at) => this.#stanzaAt(at));
  }

  #scanProvisions(): Map<string, number[]> {
    const found = new Map<string, number[]>();
    for (const [value, at] of fieldValues(this.#bytes, "Provides"))
      for (const item of new Set(value.split(",").map((part) => part.trim().split(/[ (:]/, 1)[0]!)))
        append(found, item, at);
    return found;
  }

  #stanzaAt(at: number): Stanza {
    const before = this.#bytes.lastIndexOf(GAP, at);
    const start = before < 0 ? 0 : before + GAP.length;
    const gap = this.#bytes.indexOf(GAP, at);
    return parseStanza(this.#bytes.toString("utf8", start, gap < 0 ? this.#bytes.length : gap), this.#origin);
  }
}

export interface IndexFile {
  /** Relative to the Release file's directory. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256, hex. */
  readonly hash: string;
}

/** The files that a Release file vouches for (its SHA256 field), by path. Throws FORMAT_INVALID for a malformed line. */
export function releaseFiles(release: Stanza, origin = "Release"): ReadonlyMap<string, IndexFile> {
  const files = new Map<string, IndexFile>();
  for (const line of (release.get("sha256") ?? "").split("\n")) {
    if (line.trim() === "") continue;
    const match = /^\s*([0-9a-f]{64})\s+(\d{1,15})\s+(\S+)\s*$/.exec(line);
    if (match === null) throw formatError(origin, 0, `"SHA256 SIZE PATH", found "${line.slice(0, 100)}"`);
    files.set(match[3]!, { hash: match[1]!, size: Number(match[2]), path: match[3]! });
  }
  return files;
}

const FIELD_NAME = /^[\x21\x22\x24-\x2c\x2e-\x39\x3b-\x7e][\x21-\x39\x3b-\x7e]*$/;
const GAP = Buffer.from("\n\n");

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Each value of a single-line field with the offset where its line starts. */
function* fieldValues(bytes: Buffer, field: string): Generator<[value: string, at: number]> {
  const needle = Buffer.from(`\n${field}:`);
  const first = needle.subarray(1);
  // The file's first line has no line break before it.
  let at = bytes.subarray(0, first.length).equals(first) ? 0 : bytes.indexOf(needle) + 1;
  while (at > 0 || bytes.subarray(0, first.length).equals(first)) {
    const start = at + first.length;
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    yield [bytes.toString("latin1", start, end).trim(), at];
    const next = bytes.indexOf(needle, end);
    if (next < 0) return;
    at = next + 1;
  }
}

function append(map: Map<string, number[]>, key: string, value: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
