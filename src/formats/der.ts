/** Writes DER (ITU-T X.690): each function gives one element, whole. Reading is in `der-reader.ts`. */

export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

export function derElement(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

export const derSequence = (...items: readonly Uint8Array[]): Buffer => derElement(DER.sequence, ...items);

/** Members in the order that DER wants: by their bytes. */
export const derSet = (...items: readonly Uint8Array[]): Buffer =>
  derElement(DER.set, ...[...items].sort(Buffer.compare));

/** `[n] EXPLICIT`, or with the members of a structure `[n] IMPLICIT`. */
export const derContext = (n: number, ...items: readonly Uint8Array[]): Buffer => derElement(0xa0 | n, ...items);

export const derOctets = (bytes: Uint8Array): Buffer => derElement(DER.octetString, bytes);
export const derNull = (): Buffer => derElement(DER.null);
export const derUtf8 = (text: string): Buffer => derElement(DER.utf8String, Buffer.from(text));

/** All bits used. */
export const derBits = (bytes: Uint8Array): Buffer => derElement(DER.bitString, Buffer.from([0]), bytes);

/** Not negative: big-endian bytes, or a number below 128. */
export function derInteger(value: number | Uint8Array): Buffer {
  const given = typeof value === "number" ? Buffer.from([value]) : Buffer.from(value);
  const first = given.findIndex((byte) => byte !== 0);
  const bytes = first < 0 ? Buffer.from([0]) : given.subarray(first);
  // The highest bit is the sign.
  return bytes[0]! < 0x80 ? derElement(DER.integer, bytes) : derElement(DER.integer, Buffer.from([0]), bytes);
}

/** "1.2.840.113549.1.7.2". */
export function derOid(text: string): Buffer {
  const [first, second, ...rest] = text.split(".").map(Number) as [number, number, ...number[]];
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let more = Math.floor(arc / 128); more > 0; more = Math.floor(more / 128))
      groups.unshift((more & 0x7f) | 0x80);
    return groups;
  });
  return derElement(DER.oid, Buffer.from(bytes));
}

/** Milliseconds since the epoch, in whole seconds: UTCTime up to 2049 as RFC 5280 §4.1.2.5 has it. */
export function derTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return Number(digits.slice(0, 4)) < 2050
    ? derElement(DER.utcTime, Buffer.from(digits.slice(2)))
    : derElement(DER.generalizedTime, Buffer.from(digits));
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  const used = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([0x80 | used.length]), used]);
}
