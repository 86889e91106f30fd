/**
 * What an artifact was made of, as statements and bills name it: addresses that say no more than where a thing comes from.
 * Accounts, passwords, signed queries and the paths of this machine are no part of that.
 */

/** How a material takes part: its bytes may be in the artifact, or it only ran. */
export type MaterialRole = "content" | "tool";

export interface Material {
  readonly role: MaterialRole;
  readonly name: string;
  readonly uri: string;
  /** Algorithm → hex. */
  readonly digest: Readonly<Record<string, string>>;
  readonly package?: PackageIdentity;
}

export interface PackageIdentity {
  readonly type: "deb" | "apk";
  /** Default: Debian, Alpine. */
  readonly vendor?: string;
  readonly name: string;
  readonly version: string;
  readonly arch: string;
}

/** A package's address by itself (package-url, "purl"): no mirror is in it. */
export function packageUrl({ type, vendor, name, version, arch }: PackageIdentity): string {
  const from = vendor ?? (type === "deb" ? "debian" : "alpine");
  return `pkg:${type}/${encode(from)}/${encode(name)}@${encode(version)}?arch=${encode(arch)}`;
}

/** Something that has a version and no package manager. */
export const genericUrl = (name: string, version: string): string => `pkg:generic/${encode(name)}@${encode(version)}`;

/** An address without what is secret or this machine's own: account, query and fragment; of a local path its last name. */
export function publicAddress(text: string): string {
  const scp = /^[^/@:\s]*@([^/:\s]+):(?!\/\/)(.*)$/.exec(text);
  if (scp !== null) return `ssh://${scp[1]}/${scp[2]}`;
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return publicPath(text);
  if (/^file:/i.test(text)) return publicPath(new URL(text).pathname);
  const url = new URL(text);
  url.username = "";
  url.password = "";
  url.search = "";
  url.hash = "";
  return url.href;
}

/** A path within the project as it is, any other by its last name. */
export function publicPath(text: string): string {
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  return text.startsWith("/") || text.startsWith("~") || parts.includes("..")
    ? (parts.at(-1) ?? "")
    : parts.join("/") || ".";
}

const encode = (text: string): string => encodeURIComponent(text).replaceAll("%3A", ":");
