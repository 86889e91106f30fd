/** Random numbers that a failed test can be repeated with: the seed is printed, and taken from BOOTWRIGHT_TEST_SEED. */
import { onTestFailed } from "vitest";

/** Gives numbers from 0 up to below `limit`. */
export function randomNumbers(): (limit: number) => number {
  const seed = Number(process.env.BOOTWRIGHT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  onTestFailed(() => {
    process.stderr.write(`repeat with BOOTWRIGHT_TEST_SEED=${seed}\n`);
  });
  let state = seed;
  // mulberry32
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit;
  };
}
