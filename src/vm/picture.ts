/** Pictures of a screen: PNG in and out, and the PPM that QEMU before 7.1 writes (netpbm's P6). */
import { PNG } from "pngjs";
import { BootwrightError } from "../base/errors.ts";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Four bytes a pixel, rows from the top. */
  readonly rgba: Uint8Array;
}

/** Larger than any screen that a guest has; a bound, since PNG headers lie. */
const MAX_PIXELS = 64 * 1024 * 1024;

/** Throws FORMAT_INVALID. */
export function decodePng(bytes: Uint8Array): Picture {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 24 || view.readUInt32BE(0) !== 0x89504e47) throw invalid("PNG", "no PNG signature");
  if (view.readUInt32BE(16) * view.readUInt32BE(20) > MAX_PIXELS) throw invalid("PNG", "too many pixels");
  try {
    const png = PNG.sync.read(view);
    return { width: png.width, height: png.height, rgba: png.data };
  } catch (error) {
    throw invalid("PNG", String(error));
  }
}

export function encodePng(picture: Picture): Buffer {
  const png = new PNG({ width: picture.width, height: picture.height });
  png.data = Buffer.from(picture.rgba);
  return PNG.sync.write(png);
}

/** Binary PPM with 8 bits a colour. Throws FORMAT_INVALID. */
export function decodePpm(bytes: Uint8Array): Picture {
  const head = /^P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s/.exec(Buffer.from(bytes.subarray(0, 64)).toString("latin1"));
  if (head === null) throw invalid("PPM", "no P6 header");
  const [width, height] = [Number(head[1]), Number(head[2])];
  const pixels = bytes.subarray(head[0].length);
  if (pixels.length < width * height * 3) throw invalid("PPM", `${pixels.length} bytes for ${width}x${height}`);
  const rgba = new Uint8Array(width * height * 4);
  for (let from = 0, to = 0; to < rgba.length; from += 3, to += 4) {
    rgba.set(pixels.subarray(from, from + 3), to);
    rgba[to + 3] = 255;
  }
  return { width, height, rgba };
}

const invalid = (format: string, reason: string): BootwrightError =>
  new BootwrightError("FORMAT_INVALID", `the picture is not ${format}: ${reason}`);
