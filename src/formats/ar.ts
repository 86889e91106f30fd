/** The ar archive that a Debian package is (deb(5), ar(5)): read as a stream, written for tests and repacking. */
import { BootwrightError } from "../base/errors.ts";
import { formatError } from "./byte-reader.ts";
import { type ByteChunks, ByteStream } from "./byte-stream.ts";

export interface ArMember {
  readonly name: string;
  /** Of the content's first byte in the archive. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly mode: number;
  /** The content, once, before the next member is asked for; what is not read is skipped. */
  readonly content: () => AsyncGenerator<Uint8Array>;
}

const MAGIC = "!<arch>\n";
const HEADER = 60;

/** Yields the members in order. Throws FORMAT_INVALID, or UNSUPPORTED for long names, which Debian packages never have. */
export async function* readAr(source: ByteChunks, origin = "ar"): AsyncGenerator<ArMember> {
  const stream = new ByteStream(source, origin);
  const magic = await stream.read(MAGIC.length);
  if (magic === undefined || Buffer.from(magic).toString("latin1") !== MAGIC)
    throw formatError(origin, 0, 'the magic "!<arch>"');
  for (;;) {
    const at = stream.position;
    const header = await stream.read(HEADER);
    if (header === undefined) return;
    const fields = parseHeader(Buffer.from(header).toString("latin1"), { at, origin });
    const offset = stream.position;
    const end = offset + fields.size;
    yield {
      ...fields,
      offset,
      content: () => {
        if (stream.position !== offset) throw new Error(`the content of ${fields.name} was already read or passed`);
        return stream.chunks(fields.size);
      },
    };
    await stream.skip(end - stream.position);
    if (fields.size % 2 === 1) await stream.read(1); // The pad byte of the last member may be missing.
  }
}

export interface NewArMember {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Deterministic: times and owners 0, mode 0644. */
export function* encodeAr(members: Iterable<NewArMember>): Generator<Uint8Array> {
  yield Buffer.from(MAGIC);
  for (const { name, content } of members) {
    if (!/^[\x21-\x2e\x30-\x7e]{1,16}$/.test(name))
      throw new BootwrightError(
        "LIMIT_EXCEEDED",
        `ar: the name "${name}" does not fit into 16 characters without spaces`,
      );
    if (content.length > 9_999_999_999)
      throw new BootwrightError("LIMIT_EXCEEDED", `ar: ${name}: ${content.length} bytes; the format holds 9999999999`);
    const size = String(content.length).padEnd(10);
    yield Buffer.from(
      `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${size}\`\n`,
      "latin1",
    );
    yield content;
    if (content.length % 2 === 1) yield Buffer.from("\n");
  }
}

function parseHeader(
  text: string,
  where: { at: number; origin: string },
): Pick<ArMember, "name" | "size" | "mtime" | "mode"> {
  const { at, origin } = where;
  if (text.slice(58) !== "`\n") throw formatError(origin, at + 58, "the end of a member header");
  const rawName = text.slice(0, 16).trimEnd();
  if (/^(#1\/|\/)/.test(rawName))
    throw new BootwrightError("UNSUPPORTED", `${origin}: offset ${at}: long member names are not supported`);
  const name = rawName.replace(/\/$/, "");
  if (name === "" || /[\0/]/.test(name)) throw formatError(origin, at, "a member name");
  return {
    name,
    size: number(text.slice(48, 58), 10, { at: at + 48, origin }),
    mtime: number(text.slice(16, 28), 10, { at: at + 16, origin }),
    mode: number(text.slice(40, 48), 8, { at: at + 40, origin }),
  };
}

function number(field: string, base: 8 | 10, where: { at: number; origin: string }): number {
  const digits = field.trim();
  if (!(base === 8 ? /^[0-7]*$/ : /^\d*$/).test(digits)) throw formatError(where.origin, where.at, "a number");
  return digits === "" ? 0 : Number.parseInt(digits, base);
}
