/** A minimal EFI program for tests: headers, `.text`, and optionally `.sbat`, laid out as systemd's stub is. */

export interface TinyPeOptions {
  /** COFF machine; default x86-64. */
  readonly machine?: number;
  readonly sizeOfHeaders?: number;
  readonly sbat?: string;
  readonly sizeOfImage?: number;
  readonly signed?: boolean;
  readonly debug?: boolean;
}

const FILE_ALIGNMENT = 512;
const SECTION_ALIGNMENT = 4096;

export function tinyPe(options: TinyPeOptions = {}): Buffer {
  const headers = options.sizeOfHeaders ?? 1024;
  const contents: [name: string, data: Buffer][] = [[".text", Buffer.from("code")]];
  if (options.sbat !== undefined) contents.push([".sbat", Buffer.from(options.sbat)]);
  const out = Buffer.alloc(headers + contents.length * FILE_ALIGNMENT);
  const pe = 0x80;
  const coff = pe + 4;
  const optional = coff + 20;
  out.write("MZ", 0);
  out.writeUInt32LE(pe, 0x3c);
  out.write("PE\0\0", pe, "latin1");
  out.writeUInt16LE(options.machine ?? 0x8664, coff);
  out.writeUInt16LE(contents.length, coff + 2);
  out.writeUInt32LE(0x5eed, coff + 4);
  out.writeUInt16LE(112 + 16 * 8, coff + 16);
  out.writeUInt16LE(0x20b, optional);
  out.writeUInt32LE(SECTION_ALIGNMENT, optional + 32);
  out.writeUInt32LE(FILE_ALIGNMENT, optional + 36);
  out.writeUInt32LE(options.sizeOfImage ?? SECTION_ALIGNMENT * (1 + contents.length), optional + 56);
  out.writeUInt32LE(headers, optional + 60);
  out.writeUInt32LE(0xbad, optional + 64);
  out.writeUInt16LE(10, optional + 68); // EFI application.
  out.writeUInt32LE(16, optional + 108);
  if (options.signed) out.writeUInt32LE(8, optional + 112 + 4 * 8 + 4);
  if (options.debug) out.writeUInt32LE(28, optional + 112 + 6 * 8 + 4);
  for (const [i, [name, data]] of contents.entries()) {
    const at = optional + 240 + i * 40;
    out.write(name, at, "latin1");
    out.writeUInt32LE(data.length, at + 8);
    out.writeUInt32LE(SECTION_ALIGNMENT * (i + 1), at + 12);
    out.writeUInt32LE(FILE_ALIGNMENT, at + 16);
    out.writeUInt32LE(headers + i * FILE_ALIGNMENT, at + 20);
    out.writeUInt32LE(0x4000_0040, at + 36);
    data.copy(out, headers + i * FILE_ALIGNMENT);
  }
  return out;
}
