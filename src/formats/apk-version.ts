/**
 * Versions of Alpine packages and their order (apk-tools, doc/apk-package.5 "VERSION"): numbers, a letter, suffixes such as _rc1 and
 * _p2, a revision such as -r3. What comes after "~" is a commit, and only compared for equality.
 */

export type ApkOperator = "=" | "<" | "<=" | ">" | ">=" | "~";

/** Kinds of parts, in the order in which a version ends with them: what ends sooner is less. */
const KINDS = ["number", "letter", "suffix", "suffix number", "commit", "revision", "end"] as const;

interface Part {
  readonly kind: (typeof KINDS)[number];
  readonly value: number;
  /** A number behind a point that begins with 0 counts as a fraction. */
  readonly text: string;
}

const BEFORE = ["alpha", "beta", "pre", "rc"];
const AFTER = ["cvs", "svn", "git", "hg", "p"];

const PATTERN =
  /^(\d+(?:\.\d+)*(?:[a-z]\d+(?:\.\d+)*)*[a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(~[0-9a-f]+)?(?:-r(\d+))?$/;

export const isApkVersion = (text: string): boolean => PATTERN.test(text);

/** Negative when `a` is older. What is no version is older than all that are, and ordered by its text. */
export function compareApkVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  if (left === undefined || right === undefined)
    return left === right ? Number(a > b) - Number(a < b) : left === undefined ? -1 : 1;
  for (let i = 0; ; i++) {
    const [x, y] = [left[i]!, right[i]!];
    if (x.kind !== y.kind) return endsSooner(x, y);
    if (x.kind === "end") return 0;
    const order = compareParts(x, y, i > 0);
    if (order !== 0) return order;
  }
}

/** `wanted` is what stands behind the operator. "~" means: begins with these parts. */
export function satisfiesApkVersion(version: string, operator: ApkOperator, wanted: string): boolean {
  if (operator === "~") return startsWithParts(version, wanted);
  const order = compareApkVersions(version, wanted);
  switch (operator) {
    case "=":
      return order === 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
}

function partsOf(text: string): readonly Part[] | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, main = "", suffixes = "", commit, revision] = match;
  const part = (kind: Part["kind"], value: number, of = ""): Part => ({ kind, value, text: of });
  const parts: Part[] = [];
  for (const [word] of main.matchAll(/\d+|[a-z]/g))
    parts.push(/\d/.test(word) ? part("number", Number(word), word) : part("letter", word.charCodeAt(0)));
  for (const [, name = "", number = ""] of suffixes.matchAll(/_([a-z]+)(\d*)/g)) {
    const before = BEFORE.indexOf(name);
    parts.push(part("suffix", before >= 0 ? before - BEFORE.length : AFTER.indexOf(name)));
    if (number !== "") parts.push(part("suffix number", Number(number)));
  }
  if (commit !== undefined) parts.push(part("commit", 0, commit));
  if (revision !== undefined) parts.push(part("revision", Number(revision)));
  parts.push(part("end", 0));
  return parts;
}

function compareParts(x: Part, y: Part, behindPoint: boolean): number {
  if (x.kind === "commit") return Number(x.text > y.text) - Number(x.text < y.text);
  const fraction = x.kind === "number" && behindPoint && (x.text.startsWith("0") || y.text.startsWith("0"));
  if (fraction && x.text !== y.text) return compareFractions(x.text, y.text);
  return x.value - y.value;
}

/** Digits behind a point, as 0.05 < 0.5; of equal digits the longer is greater. */
function compareFractions(x: string, y: string): number {
  return x < y ? -1 : 1;
}

/** 1.0_rc < 1.0 < 1.0_p; else more parts are more. */
function endsSooner(x: Part, y: Part): number {
  if (x.kind === "suffix" && x.value < 0) return -1;
  if (y.kind === "suffix" && y.value < 0) return 1;
  return KINDS.indexOf(y.kind) - KINDS.indexOf(x.kind);
}

function startsWithParts(version: string, wanted: string): boolean {
  const [all, some] = [partsOf(version), partsOf(wanted)];
  if (all === undefined || some === undefined) return version === wanted;
  return some.slice(0, -1).every((part, i) => {
    const other = all[i];
    return other !== undefined && other.kind === part.kind && compareParts(other, part, i > 0) === 0;
  });
}
