/**
 * Paths inside images are bytes, not text: Linux allows any byte but `/` and NUL. A path is held as a JavaScript string
 * in which each byte that is not valid UTF-8 stands as the lone surrogate U+DC80…U+DCFF (as Python's "surrogateescape"
 * does), so that ordinary names read normally and odd ones survive unchanged.
 */

const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function pathFromBytes(bytes: Uint8Array): string {
  try {
    return utf8Strict.decode(bytes);
  } catch {
    return decodeEscaped(bytes);
  }
}

export function bytesFromPath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path, "utf8");
  const parts: Buffer[] = [];
  for (const c of path) {
    const code = c.charCodeAt(0);
    parts.push(c.length === 1 && code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(c, "utf8"));
  }
  return Buffer.concat(parts);
}

/** Orders paths by their bytes, the one order that every format and locale agrees on. */
export function comparePaths(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Code units order as bytes do below the surrogates; above, compare the real bytes.
    if (x < 0xd800 && y < 0xd800) return x - y;
    return Buffer.compare(bytesFromPath(a), bytesFromPath(b));
  }
  return a.length - b.length;
}

export const concatBytes = (chunks: readonly Uint8Array[]): Buffer => Buffer.concat(chunks as Uint8Array[]);

/** The next multiple of `alignment` at or above `value`. */
export const alignUp = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment;

function decodeEscaped(bytes: Uint8Array): string {
  let out = "";
  let i = 0;
  while (i < bytes.length) {
    const length = sequenceLength(bytes, i);
    if (length === 0) {
      out += String.fromCharCode(0xdc00 + bytes[i]!);
      i++;
    } else {
      out += utf8Strict.decode(bytes.subarray(i, i + length));
      i += length;
    }
  }
  return out;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      utf8Strict.decode(bytes.subarray(at, at + length));
      return length;
    } catch {}
  }
  return 0;
}
