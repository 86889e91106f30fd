/** Sizes as people write them ("1GiB", "512MiB", "1.5G") and as they read them. */
import { BootwrightError } from "./errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  K: 1024,
  KiB: 1024,
  KB: 1000,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  MB: 1000 ** 2,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  GB: 1000 ** 3,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
  TB: 1000 ** 4,
};

export const SIZE_PATTERN = /^(\d+(?:\.\d+)?)\s*(B|K|KiB|KB|M|MiB|MB|G|GiB|GB|T|TiB|TB)?$/;

/** Bytes. Throws USAGE when the text is no size. */
export function parseSize(text: string): number {
  const match = SIZE_PATTERN.exec(text);
  if (match === null)
    throw new BootwrightError("USAGE", `"${text}" is not a size`, { hint: 'write it like "512MiB" or "1GiB"' });
  return Math.round(Number(match[1]) * UNITS[match[2] ?? ""]!);
}

/** "31.2 MiB"; exact below 1 KiB. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** "240 ms", "4.1 s", "2 min 5 s". */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
