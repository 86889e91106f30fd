/** Orders the versions of bundles: runs of digits as numbers, `~` before everything, as distributions do it. */

/** Negative when `a` is older. "6.12.9" < "6.12.10", "6.13-rc1" < "6.13" (a release candidate), "6.12" < "6.12.1". */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [pieces(a), pieces(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = comparePieces(left[i], right[i]);
    if (order !== 0) return order;
  }
  return 0;
}

const pieces = (version: string): readonly string[] => version.match(/\d+|-rc|~|[A-Za-z]+|[^A-Za-z0-9]/g) ?? [];

/** What comes before an end of the text: marks of a version that is not yet. */
const EARLY = new Set(["~", "-rc"]);

function comparePieces(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return EARLY.has(b!) ? 1 : -1;
  if (b === undefined) return EARLY.has(a) ? -1 : 1;
  if (EARLY.has(a) !== EARLY.has(b)) return EARLY.has(a) ? -1 : 1;
  const digits = [/^\d/.test(a), /^\d/.test(b)] as const;
  if (digits[0] && digits[1]) {
    const [x, y] = [BigInt(a), BigInt(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  }
  // A number goes on a version ("6.12.1"); other text stands beside it ("6.12-1").
  if (digits[0] !== digits[1]) return digits[0] ? 1 : -1;
  return a < b ? -1 : 1;
}
