/** Finds one file in a stream of newc segments; nothing else of them is kept in memory. */
import { BootwrightError } from "../base/errors.ts";
import { formatError } from "./byte-reader.ts";
import type { ByteStream } from "./byte-stream.ts";
import { NEWC_HEADER_SIZE, NEWC_PATH_MAX, NEWC_TRAILER } from "./newc.ts";

export interface NewcFound {
  /** Of the last file with that name, as the kernel would leave it; undefined when there is none. */
  readonly content: string | undefined;
  /** The first bytes (up to six) of what follows the segments and is no newc; empty at the end. */
  readonly rest: Uint8Array;
}

const MAGIC = "070701";

/** Throws FORMAT_INVALID for damage, LIMIT_EXCEEDED when the file is larger than `maxSize` bytes. */
export async function findInNewc(
  stream: ByteStream,
  { path, maxSize, what }: { readonly path: string; readonly maxSize: number; readonly what: string },
): Promise<NewcFound> {
  let content: string | undefined;
  for (;;) {
    const first = await skipZeros(stream);
    if (first === undefined) return { content, rest: new Uint8Array(0) };
    let head = Buffer.from(first);
    while (head.length < MAGIC.length) {
      const byte = await stream.read(1);
      if (byte === undefined) return { content, rest: head };
      head = Buffer.concat([head, byte]);
    }
    if (head.toString("latin1") !== MAGIC) return { content, rest: head };
    let entry = await readEntry(stream, { what, magic: head });
    for (; entry.name !== NEWC_TRAILER; entry = await readEntry(stream, { what, magic: undefined })) {
      if (entry.name.replace(/^(\.?\/)+/, "") === path) {
        if (entry.size > maxSize)
          throw new BootwrightError("LIMIT_EXCEEDED", `${what}: ${path} has ${entry.size} bytes`);
        content =
          entry.size === 0 ? "" : Buffer.from((await exactly(stream, entry.size, what)).slice()).toString("utf8");
      } else await stream.skip(entry.size);
      await stream.skip(padding(entry.size));
    }
  }
}

async function readEntry(
  stream: ByteStream,
  { what, magic }: { what: string; magic: Buffer | undefined },
): Promise<{ name: string; size: number }> {
  const start = stream.position;
  if (magic === undefined && Buffer.from(await exactly(stream, MAGIC.length, what)).toString("latin1") !== MAGIC)
    throw formatError(what, start, `the magic ${MAGIC}`);
  const fields = Buffer.from(await exactly(stream, NEWC_HEADER_SIZE - MAGIC.length, what)).toString("latin1");
  if (!/^[0-9a-fA-F]*$/.test(fields)) throw formatError(what, start, "hexadecimal digits");
  const field = (index: number): number => Number.parseInt(fields.slice(index * 8, index * 8 + 8), 16);
  const nameSize = field(11);
  if (nameSize < 1 || nameSize > NEWC_PATH_MAX) throw formatError(what, start, `a name of 1…${NEWC_PATH_MAX} bytes`);
  const name = Buffer.from(await exactly(stream, nameSize, what))
    .toString("latin1")
    .replace(/\0.*$/s, "");
  await stream.skip(padding(NEWC_HEADER_SIZE + nameSize));
  return { name, size: field(6) };
}

async function skipZeros(stream: ByteStream): Promise<Uint8Array | undefined> {
  for (;;) {
    const byte = stream.takeBuffered(1) ?? (await stream.read(1));
    if (byte === undefined || byte[0] !== 0) return byte;
  }
}

async function exactly(stream: ByteStream, length: number, what: string): Promise<Uint8Array> {
  const bytes = await stream.read(length);
  if (bytes === undefined) throw formatError(what, stream.position, `${length} more bytes`);
  return bytes;
}

const padding = (size: number): number => (4 - (size % 4)) % 4;
