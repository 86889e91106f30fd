/** Package relationships as in Depends, Pre-Depends, Provides (deb-control(5), Debian Policy 7.1). */
import { BootwrightError } from "../base/errors.ts";
import { compareDebianVersions, parseDebianVersion } from "./debian-version.ts";

export type VersionOperator = "<<" | "<=" | "=" | ">=" | ">>";

export interface PackageRelation {
  readonly name: string;
  /** "any", "native" or an architecture, from `name:any`. */
  readonly qualifier?: string;
  readonly version?: { readonly operator: VersionOperator; readonly version: string };
  /** From `[amd64 !i386]`; only source packages have them. */
  readonly architectures?: readonly string[];
}

/** Any one of the alternatives is enough. */
export type Alternatives = readonly PackageRelation[];

/** All of the list are needed. Throws FORMAT_INVALID for what does not parse. */
export function parseDepends(text: string): readonly Alternatives[] {
  const wanted: Alternatives[] = [];
  for (const group of text.split(",")) {
    if (group.trim() === "") continue; // A trailing comma is allowed.
    wanted.push(group.split("|").map(parseRelation));
  }
  return wanted;
}

/** Whether a package of that version fulfils the relation's version part. */
export function satisfiesVersion(version: string, relation: Pick<PackageRelation, "version">): boolean {
  if (relation.version === undefined) return true;
  const difference = compareDebianVersions(version, relation.version.version);
  switch (relation.version.operator) {
    case "<<":
      return difference < 0;
    case "<=":
      return difference <= 0;
    case "=":
      return difference === 0;
    case ">=":
      return difference >= 0;
    case ">>":
      return difference > 0;
  }
}

const RELATION =
  /^([a-z0-9][a-z0-9+.-]*)(?::([a-z0-9-]+))?(?:\s*\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s()]+)\s*\))?(?:\s*\[([^\]]*)\])?(?:\s*<[^>]*>)*$/i;
/** The old forms mean "or equal" (Policy 7.1), whatever they look like. */
const OLD_OPERATORS: Readonly<Record<string, VersionOperator>> = { "<": "<=", ">": ">=" };

function parseRelation(text: string): PackageRelation {
  const trimmed = text.trim();
  const match = trimmed.length > 1000 ? null : RELATION.exec(trimmed);
  if (match === null)
    throw new BootwrightError(
      "FORMAT_INVALID",
      `"${trimmed.slice(0, 100)}" is no package relation like "name (>= 1.0)"`,
    );
  const [, name, qualifier, operator, version, architectures] = match;
  if (version !== undefined) parseDebianVersion(version);
  return {
    name: name!,
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(operator === undefined
      ? {}
      : { version: { operator: OLD_OPERATORS[operator] ?? (operator as VersionOperator), version: version! } }),
    ...(architectures === undefined ? {} : { architectures: architectures.split(/\s+/).filter((part) => part !== "") }),
  };
}
