/** Which packages a tree has, as its own database tells: dpkg's status, apk's installed. */
import { stanzas } from "./deb822.ts";
import type { FileTree, TreeEntry } from "./filetree.ts";

export interface InstalledPackage {
  readonly type: "deb" | "apk";
  /** Of whom: the ID of the tree's os-release, such as "debian". */
  readonly vendor: string;
  readonly name: string;
  readonly version: string;
  readonly arch: string;
}

const STATUS = /^var\/lib\/dpkg\/(?:status|status\.d\/[^/]+)$/;
const APK = /^(?:usr\/)?lib\/apk\/db\/installed$/;

/** `read` gives a file's bytes. A damaged database throws FORMAT_INVALID. */
export function installedPackages(
  tree: FileTree,
  read: (entry: TreeEntry & { type: "file" }) => Buffer,
): readonly InstalledPackage[] {
  const files = tree.flatMap((entry) => (entry.type === "file" ? [entry] : []));
  const release = files.find(({ path }) => path === "usr/lib/os-release" || path === "etc/os-release");
  const id = release && /^ID=["']?([a-z0-9._-]+)["']?$/m.exec(read(release).toString("utf8"))?.[1];
  return files.flatMap((entry) => {
    if (STATUS.test(entry.path) && !entry.path.endsWith(".md5sums"))
      return debianPackages(read(entry), { vendor: id ?? "debian", what: entry.path });
    return APK.test(entry.path) ? apkPackages(read(entry).toString("utf8"), id ?? "alpine") : [];
  });
}

/** What was removed and has left its settings is not there. */
function debianPackages(
  bytes: Buffer,
  { vendor, what }: { vendor: string; what: string },
): readonly InstalledPackage[] {
  return [...stanzas(bytes, what)].flatMap((stanza) => {
    const [name, version, arch] = ["package", "version", "architecture"].map((field) => stanza.get(field));
    const status = stanza.get("status");
    if (name === undefined || version === undefined || (status !== undefined && !status.endsWith(" installed")))
      return [];
    return [{ type: "deb" as const, vendor, name, version, arch: arch ?? "all" }];
  });
}

function apkPackages(text: string, vendor: string): readonly InstalledPackage[] {
  return text.split("\n\n").flatMap((paragraph) => {
    const field = (letter: string) => new RegExp(`^${letter}:(.+)$`, "m").exec(paragraph)?.[1];
    const [name, version, arch] = [field("P"), field("V"), field("A")];
    return name === undefined || version === undefined
      ? []
      : [{ type: "apk" as const, vendor, name, version, arch: arch ?? "noarch" }];
  });
}
