/** Alpine's package index (apk-tools, doc/apk-package.5 and APKINDEX): stanzas of "X:value", and what packages ask of each other. */
import { BootwrightError } from "../base/errors.ts";
import { type ApkOperator, satisfiesApkVersion } from "./apk-version.ts";

/** "so:libc.musl-x86_64.so.1", "busybox>=1.35", "!uclibc". */
export interface ApkDependency {
  readonly name: string;
  readonly operator?: ApkOperator;
  readonly version?: string;
  /** It must not be there. */
  readonly conflict: boolean;
}

export interface ApkPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** Bytes of the package file. */
  readonly size: number;
  /** SHA-1 of the control segment, hex: what the index vouches for. */
  readonly identity: string;
  readonly depends: readonly ApkDependency[];
  readonly provides: readonly ApkDependency[];
  /** It is added when all of these are there. */
  readonly installIf: readonly ApkDependency[];
  readonly providerPriority: number;
}

/** Throws FORMAT_INVALID. */
export function parseApkIndex(text: string, origin: string): ApkPackage[] {
  const packages: ApkPackage[] = [];
  for (const stanza of text.split(/\n{2,}/)) {
    if (stanza.trim() === "") continue;
    const fields = new Map<string, string>();
    for (const line of stanza.split("\n")) {
      if (line === "") continue;
      if (line[1] !== ":") throw invalid(origin, `"${line.slice(0, 80)}" is no field`);
      fields.set(line[0]!, line.slice(2));
    }
    packages.push(toPackage(fields, origin));
  }
  return packages;
}

function toPackage(fields: ReadonlyMap<string, string>, origin: string): ApkPackage {
  const need = (field: string): string => {
    const value = fields.get(field);
    if (value === undefined || value === "")
      throw invalid(origin, `package ${fields.get("P") ?? "?"} has no field ${field}`);
    return value;
  };
  const [name, version, size] = [need("P"), need("V"), Number(need("S"))];
  if (!/^[A-Za-z0-9][A-Za-z0-9+_.-]*$/.test(name) || !/^[A-Za-z0-9][A-Za-z0-9+_.~-]*$/.test(version))
    throw invalid(origin, `the package name ${name}-${version}`);
  if (!Number.isSafeInteger(size) || size <= 0) throw invalid(origin, `package ${name}: size ${need("S")}`);
  return {
    ...{ name, version, size, arch: need("A"), identity: parseIdentity(need("C"), `${origin}: ${name}`) },
    depends: parseApkDependencies(fields.get("D") ?? ""),
    provides: parseApkDependencies(fields.get("p") ?? ""),
    installIf: parseApkDependencies(fields.get("i") ?? ""),
    providerPriority: Number(fields.get("k") ?? 0) || 0,
  };
}

/** "Q1" and base64 of a SHA-1 → hex. */
function parseIdentity(text: string, origin: string): string {
  const bytes = Buffer.from(text.slice(2), "base64");
  if (!text.startsWith("Q1") || bytes.length !== 20) throw invalid(origin, `the checksum ${text}`);
  return bytes.toString("hex");
}

export function parseApkDependencies(text: string): ApkDependency[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => {
      const [, bang, name = word, , operator, version] =
        /^(!?)([^<>=~!@]+)(@[^<>=~]+)?(?:([<>]=?|=|>~|<~|~=?)(.+))?$/.exec(word) ?? [];
      const plain = operator?.includes("~") ? "~" : (operator as ApkOperator | undefined);
      return { name, conflict: bang === "!", ...(plain !== undefined && { operator: plain, version: version! }) };
    });
}

/** Whether a package is, or provides, what is asked for; conflicts count as asked for. */
export function matchesApk(one: ApkPackage, wanted: ApkDependency): boolean {
  if (one.name === wanted.name && fits(one.version, wanted)) return true;
  return one.provides.some(
    (provided) =>
      provided.name === wanted.name &&
      (wanted.operator === undefined || (provided.version !== undefined && fits(provided.version, wanted))),
  );
}

const fits = (version: string, { operator, version: wanted }: ApkDependency): boolean =>
  operator === undefined || satisfiesApkVersion(version, operator, wanted!);

/** As the index writes it. */
export const describeApkDependency = ({ name, operator, version, conflict }: ApkDependency): string =>
  `${conflict ? "!" : ""}${name}${operator ?? ""}${version ?? ""}`;

const invalid = (origin: string, why: string): BootwrightError =>
  new BootwrightError("FORMAT_INVALID", `${origin}: ${why}`);
