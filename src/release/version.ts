/** Versions of releases: "v1.2.3", "v1.2.3-rc.1", ordered as https://semver.org says (§11). */
import { BootwrightError } from "../base/errors.ts";

export const RELEASE_VERSION =
  /^v(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

/** Throws USAGE. */
export function checkVersion(text: string): string {
  if (RELEASE_VERSION.test(text) && text.length <= 64) return text;
  const meant = RELEASE_VERSION.test(`v${text}`) ? `; did you mean "v${text}"?` : "";
  throw new BootwrightError("USAGE", `"${text}" is not a release's version${meant}`, {
    hint: "a version is v, three numbers, and for a pre-release a dash and words: v0.4.0, v0.4.0-rc.1",
  });
}

export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  for (let i = 0; i < 3; i++) if (left.numbers[i] !== right.numbers[i]) return left.numbers[i]! - right.numbers[i]!;
  // A pre-release comes before its release.
  if (left.words.length === 0 || right.words.length === 0) return right.words.length - left.words.length;
  for (let i = 0; i < Math.max(left.words.length, right.words.length); i++) {
    const order = compareWords(left.words[i], right.words[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** The first version of the same kind that `taken` does not have. */
export function nextFree(version: string, taken: (version: string) => boolean): string {
  const [major, minor, patch] = split(version).numbers;
  for (let i = patch! + 1; ; i++) {
    const next = `v${major}.${minor}.${i}`;
    if (!taken(next)) return next;
  }
}

function split(version: string): { numbers: readonly number[]; words: readonly string[] } {
  const dash = version.indexOf("-");
  const core = dash === -1 ? version : version.slice(0, dash);
  return {
    numbers: core.slice(1).split(".").map(Number),
    words: dash === -1 ? [] : version.slice(dash + 1).split("."),
  };
}

function compareWords(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1);
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left && right) return Number(a) - Number(b);
  if (left !== right) return left ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
