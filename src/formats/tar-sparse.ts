/**
 * Sparse files in GNU tar: the data fragments are stored, the holes are not. Four forms exist (GNU tar manual, "Storing
 * Sparse Files"): the old one in the header, and the pax forms 0.0, 0.1 and 1.0. All are expanded.
 */
import { BootwrightError } from "../base/errors.ts";
import { formatError } from "./byte-reader.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { PaxRecord } from "./pax.ts";
import { parseNumber, TAR_BLOCK } from "./tar-header.ts";

export interface SparseMap {
  /** Bytes of the expanded file. */
  readonly size: number;
  readonly fragments: readonly SparseFragment[];
}

export interface SparseFragment {
  readonly offset: number;
  readonly length: number;
}

const MAX_FRAGMENTS = 1_000_000;

/** The old GNU form: four fragments in the header, 21 in each extension block behind it. */
export async function readOldSparse(header: Uint8Array, stream: ByteStream): Promise<SparseMap> {
  const fragments: SparseFragment[] = [];
  const at = stream.position - TAR_BLOCK;
  collect(fragments, header, { from: 386, count: 4, at });
  let extended = header[482] !== 0;
  while (extended) {
    const block = await stream.read(TAR_BLOCK);
    if (block === undefined) throw formatError("tar", stream.position, "a block of the sparse map");
    collect(fragments, block, { from: 0, count: 21, at: stream.position - TAR_BLOCK });
    extended = block[504] !== 0;
  }
  return { size: parseNumber(header, { from: 483, length: 12, at }), fragments };
}

/** The pax forms 0.0 and 0.1; undefined when the records hold none. */
export function paxSparseMap(records: readonly PaxRecord[], at: number): SparseMap | undefined {
  const text = (key: string) => {
    const record = records.findLast((candidate) => candidate.key === key);
    return record === undefined ? undefined : Buffer.from(record.value).toString("latin1");
  };
  const size = text("GNU.sparse.size");
  if (size === undefined) return undefined;
  const numbers =
    text("GNU.sparse.map")
      ?.split(",")
      .filter((part) => part !== "") ?? repeated(records);
  return {
    size: decimal(size, at),
    fragments: pairs(
      numbers.map((part) => decimal(part, at)),
      at,
    ),
  };
}

/** The pax form 1.0: the map is decimal lines in front of the data, padded to a block. Returns the bytes it took, too. */
export async function readSparse10(
  stream: ByteStream,
  header: { realSize: number; stored: number },
): Promise<{ map: SparseMap; taken: number }> {
  const start = stream.position;
  const numbers: number[] = [];
  let rest = "";
  let wanted = 1;
  while (numbers.length < wanted) {
    const block = stream.position - start + TAR_BLOCK > header.stored ? undefined : await stream.read(TAR_BLOCK);
    if (block === undefined) throw formatError("tar", stream.position, "a block of the sparse map");
    const lines = (rest + Buffer.from(block).toString("latin1")).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (numbers.length >= wanted) break;
      numbers.push(decimal(line, stream.position));
      if (numbers.length === 1) wanted = 1 + 2 * checkCount(numbers[0]!, stream.position);
    }
    if (rest.length > 20 && numbers.length < wanted)
      throw formatError("tar", stream.position, "a decimal line of the sparse map");
  }
  const map = { size: header.realSize, fragments: pairs(numbers.slice(1), start) };
  return { map, taken: stream.position - start };
}

/** Throws FORMAT_INVALID when fragments overlap, leave the file or do not add up; LIMIT_EXCEEDED over `limit` bytes. */
export function checkSparse(
  map: SparseMap,
  expected: { stored: number; at: number; path: string; limit: number },
): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of map.fragments) {
    if (offset < end || length < 0 || offset + length > map.size)
      throw formatError("tar", expected.at, `sparse fragments of ${expected.path} in order and within the file`);
    end = offset + length;
    sum += length;
  }
  if (sum !== expected.stored)
    throw formatError(
      "tar",
      expected.at,
      `sparse fragments of ${expected.path} that add up to ${expected.stored}, found ${sum}`,
    );
  if (map.size > expected.limit)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `tar: ${expected.path} is a sparse file of ${map.size} bytes; at most ${expected.limit} are expanded`,
    );
}

/** The file's bytes, holes as zeros. */
export async function* expandSparse(stream: ByteStream, map: SparseMap): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const { offset, length } of map.fragments) {
    yield* zeros(offset - at);
    yield* stream.chunks(length);
    at = offset + length;
  }
  yield* zeros(map.size - at);
}

const ZEROS = new Uint8Array(256 * 1024);

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= ZEROS.length) yield left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS;
}

function collect(into: SparseFragment[], block: Uint8Array, range: { from: number; count: number; at: number }): void {
  for (let i = 0; i < range.count; i++) {
    const from = range.from + i * 24;
    if (block[from] === 0) return; // An unused slot.
    const offset = parseNumber(block, { from, length: 12, at: range.at });
    into.push({ offset, length: parseNumber(block, { from: from + 12, length: 12, at: range.at }) });
    checkCount(into.length, range.at);
  }
}

function repeated(records: readonly PaxRecord[]): string[] {
  return records
    .filter(({ key }) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
    .map(({ value }) => Buffer.from(value).toString("latin1"));
}

function pairs(numbers: readonly number[], at: number): SparseFragment[] {
  if (numbers.length % 2 !== 0) throw formatError("tar", at, "a sparse map of pairs");
  checkCount(numbers.length / 2, at);
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    offset: numbers[i * 2]!,
    length: numbers[i * 2 + 1]!,
  }));
}

function checkCount(count: number, at: number): number {
  if (count > MAX_FRAGMENTS)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `tar: offset ${at}: a sparse map of ${count} fragments; at most ${MAX_FRAGMENTS} are read`,
    );
  return count;
}

function decimal(text: string, at: number): number {
  if (!/^\d{1,15}$/.test(text)) throw formatError("tar", at, "a decimal number in the sparse map");
  return Number(text);
}
