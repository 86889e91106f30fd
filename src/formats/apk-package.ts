/** A package's control segment: what it is, its scripts, and the digest of its files (apk-tools, doc/apk-v2.5). */
import { createHash } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { readGzipMember, readSegment, signaturesOf, verifyApkSignature } from "./apk-archive.ts";

export const APK_SCRIPTS = [
  ...["pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-deinstall", "post-deinstall", "trigger"],
] as const;

export interface ApkControl {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** Lines of .PKGINFO in order: field and value. */
  readonly fields: readonly (readonly [string, string])[];
  /** Text by name, such as "post-install". */
  readonly scripts: Readonly<Record<string, string>>;
  /** SHA-1 of the packed control segment, hex: what an index and the installed database call the package by. */
  readonly identity: string;
  /** SHA-256 of the packed files, hex. */
  readonly dataHash: string;
  /** Where the files begin in the package. */
  readonly dataAt: number;
}

/** Bytes from the start that hold signature and control. */
export const APK_HEAD = 8 * 1024 * 1024;

/**
 * `head`: the package's first bytes, APK_HEAD or all of them. With `keys` (PEM by file name) its signature must verify.
 * Throws FORMAT_INVALID, SIGNATURE_INVALID.
 */
export async function readApkControl(
  head: Buffer,
  { what, keys }: { what: string; keys?: ReadonlyMap<string, string> },
): Promise<ApkControl> {
  if (head.toString("latin1", 0, 4) === "ADB.")
    throw new BootwrightError("UNSUPPORTED", `${what}: a package of version 3; version 2 is read`);
  const first = readGzipMember(head, what);
  const signatures = signaturesOf(await readSegment(first.content, what));
  const signed = signatures.length > 0;
  const rest = signed ? head.subarray(first.length) : head;
  const control = signed ? readGzipMember(rest, what) : first;
  const packed = rest.subarray(0, control.length);
  if (keys !== undefined) verifyApkSignature(packed, { signatures, keys, what });
  const files = await readSegment(control.content, what);
  const info = files.get(".PKGINFO");
  if (info === undefined) throw new BootwrightError("FORMAT_INVALID", `${what}: no .PKGINFO`);
  const fields = parsePkgInfo(info.toString("utf8"));
  const need = (name: string): string => {
    const value = fields.find(([field]) => field === name)?.[1];
    if (value === undefined) throw new BootwrightError("FORMAT_INVALID", `${what}: .PKGINFO has no ${name}`);
    return value;
  };
  const scripts = APK_SCRIPTS.flatMap((script) => {
    const text = files.get(`.${script}`);
    return text === undefined ? [] : [[script, text.toString("utf8")] as const];
  });
  return {
    ...{ name: need("pkgname"), version: need("pkgver"), arch: need("arch"), fields },
    scripts: Object.fromEntries(scripts),
    identity: createHash("sha1").update(packed).digest("hex"),
    dataHash: need("datahash"),
    dataAt: (signed ? first.length : 0) + control.length,
  };
}

/** "name = value" lines; comments start with #. */
function parsePkgInfo(text: string): (readonly [string, string])[] {
  return text.split("\n").flatMap((line) => {
    const [, name, value] = /^([a-z_]+) = (.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value!] as const];
  });
}
