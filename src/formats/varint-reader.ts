/** Takes values off a buffer, with bounds: every overrun is FORMAT_INVALID with the offset. Counterpart of VarintWriter. */
import { BootwrightError } from "../base/errors.ts";

export class VarintReader {
  readonly #bytes: Buffer;
  readonly #format: string;
  #at = 0;

  constructor(bytes: Uint8Array, format: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#format = format;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  invalid(what: string): BootwrightError {
    return new BootwrightError("FORMAT_INVALID", `${this.#format}: ${what} at offset ${this.#at}`);
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw this.invalid("ends early, 1 more bytes expected");
    this.#at++;
    return value;
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw this.invalid(`ends early, ${length} more bytes expected`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  sized(limit: number): Buffer {
    const length = this.varint();
    if (length > limit) throw this.invalid(`length ${length} is over the limit of ${limit}`);
    return this.take(length);
  }

  hex(length: number): string {
    return this.take(length).toString("hex");
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 56; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if ((byte === 0 && scale > 1) || !Number.isSafeInteger(value))
          throw this.invalid("number is not in its shortest form");
        return value;
      }
    }
    throw this.invalid("number is too long");
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  /** A count of items that take at least `minimum` bytes each: a lie is found before memory is taken for it. */
  count(minimum: number): number {
    const value = this.varint();
    if (value * minimum > this.#bytes.length - this.#at) throw this.invalid(`${value} items cannot fit in the rest`);
    return value;
  }
}
