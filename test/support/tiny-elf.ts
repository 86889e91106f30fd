/** Small ELF files for tests: any sections, 32 or 64 bits, either byte order. */

export interface TinyElfOptions {
  readonly bits?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly sections: Readonly<Record<string, Uint8Array>>;
}

export function tinyElf(options: TinyElfOptions): Buffer {
  const wide = (options.bits ?? 64) === 64;
  const little = options.littleEndian ?? true;
  const names = ["", ...Object.keys(options.sections), ".shstrtab"];
  const nameTable = Buffer.from(`${names.join("\0")}\0`);
  const contents = [Buffer.alloc(0), ...Object.values(options.sections), nameTable];
  const headerSize = wide ? 64 : 52;
  const entrySize = wide ? 64 : 40;
  const offsets: number[] = [];
  let at = headerSize;
  for (const content of contents) {
    offsets.push(at);
    at += content.length;
  }
  const table = Math.ceil(at / 8) * 8;
  const out = Buffer.alloc(table + contents.length * entrySize);
  const u16 = (where: number, value: number) =>
    little ? out.writeUInt16LE(value, where) : out.writeUInt16BE(value, where);
  const u32 = (where: number, value: number) =>
    little ? out.writeUInt32LE(value, where) : out.writeUInt32BE(value, where);
  const word = (where: number, value: number) => u32(wide && !little ? where + 4 : where, value);
  out.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]);
  u16(16, 1);
  u16(18, 62);
  word(wide ? 40 : 32, table);
  u16(wide ? 58 : 46, entrySize);
  u16(wide ? 60 : 48, contents.length);
  u16(wide ? 62 : 50, contents.length - 1);
  let nameAt = 0;
  for (const [i, content] of contents.entries()) {
    out.set(content, offsets[i]!);
    const entry = table + i * entrySize;
    u32(entry, nameAt);
    u32(entry + 4, i === 0 ? 0 : 1);
    word(entry + (wide ? 24 : 16), offsets[i]!);
    word(entry + (wide ? 32 : 20), content.length);
    nameAt += names[i]!.length + 1;
  }
  return out;
}
