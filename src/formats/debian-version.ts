/** Debian's version order (deb-version(7)), the same as `dpkg --compare-versions`. */
import { BootwrightError } from "../base/errors.ts";

export interface DebianVersion {
  readonly epoch: number;
  readonly upstream: string;
  /** "" when there is none, which sorts as "0". */
  readonly revision: string;
}

/** Throws FORMAT_INVALID for text that is no version. */
export function parseDebianVersion(text: string): DebianVersion {
  const colon = text.indexOf(":");
  const epochText = colon < 0 ? "0" : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  const upstream = dash < 0 ? rest : rest.slice(0, dash);
  const revision = dash < 0 ? "" : rest.slice(dash + 1);
  const valid =
    /^\d{1,10}$/.test(epochText) &&
    Number(epochText) <= 0x7fff_ffff &&
    /^[A-Za-z0-9.+~:-]+$/.test(upstream) &&
    (dash < 0 || /^[A-Za-z0-9.+~]+$/.test(revision));
  if (!valid) throw new BootwrightError("FORMAT_INVALID", `"${text.slice(0, 100)}" is no Debian version`);
  return { epoch: Number(epochText), upstream, revision };
}

/** Negative when `a` is older than `b`, 0 when they are equal, positive when it is newer. */
export function compareDebianVersions(a: string, b: string): number {
  if (a === b) return 0;
  const x = parseDebianVersion(a);
  const y = parseDebianVersion(b);
  return x.epoch - y.epoch || compareParts(x.upstream, y.upstream) || compareParts(x.revision, y.revision);
}

/** Runs of non-digits and of digits in turn: the first by a modified ASCII order, the second by value. */
function compareParts(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = order(a, i) - order(b, j);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    while (a[i] === "0") i++;
    while (b[j] === "0") j++;
    let firstDifference = 0;
    while (isDigit(a, i) && isDigit(b, j)) {
      firstDifference ||= a.charCodeAt(i) - b.charCodeAt(j);
      i++;
      j++;
    }
    if (isDigit(a, i)) return 1; // More digits: larger.
    if (isDigit(b, j)) return -1;
    if (firstDifference !== 0) return firstDifference;
  }
  return 0;
}

/** `~` before everything, even the end; then the end and digits, letters, all else. */
function order(text: string, at: number): number {
  if (at >= text.length || isDigit(text, at)) return 0;
  const code = text.charCodeAt(at);
  if (code === 126) return -1;
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122) ? code : code + 256;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}
