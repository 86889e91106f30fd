/** What a kernel module says about itself: the `.modinfo` section of its ELF file, "key=value" strings ended by NULs. */
import { elfSectionBytes, findElfSection, readElf } from "./elf.ts";

export interface Modinfo {
  /** "virtio_net"; empty in modules of very old kernels. */
  readonly name: string;
  readonly depends: readonly string[];
  /** Modules to load before and after, when they exist (`softdep`). */
  readonly softdepPre: readonly string[];
  readonly softdepPost: readonly string[];
  /** Files that it asks for, below /lib/firmware. */
  readonly firmware: readonly string[];
  /** Bus patterns ("pci:v…") and plain names. */
  readonly alias: readonly string[];
  /** "6.1.0-9-cloud-amd64 SMP preempt mod_unload modversions". */
  readonly vermagic: string;
  readonly license: string;
  readonly description: string;
  /** All values by key, in order. */
  readonly all: ReadonlyMap<string, readonly string[]>;
}

/** Throws FORMAT_INVALID when the file is no ELF file or has no `.modinfo` section. `origin` stands in messages. */
export function parseModinfo(bytes: Uint8Array, origin = "kernel module"): Modinfo {
  const elf = readElf(bytes, origin);
  const section = findElfSection(elf, ".modinfo");
  if (section === undefined) throw elf.reader.error(0, "a section .modinfo");
  const all = new Map<string, string[]>();
  for (const line of Buffer.from(elfSectionBytes(elf, section)).toString("utf8").split("\0")) {
    const equals = line.indexOf("=");
    if (equals < 1) continue; // Padding between strings.
    const values = all.get(line.slice(0, equals));
    if (values === undefined) all.set(line.slice(0, equals), [line.slice(equals + 1)]);
    else values.push(line.slice(equals + 1));
  }
  const one = (key: string) => all.get(key)?.[0] ?? "";
  const softdeps = parseSoftdeps(all.get("softdep") ?? []);
  return {
    name: one("name"),
    depends: one("depends")
      .split(",")
      .filter((name) => name !== ""),
    softdepPre: softdeps.pre,
    softdepPost: softdeps.post,
    firmware: all.get("firmware") ?? [],
    alias: all.get("alias") ?? [],
    vermagic: one("vermagic"),
    license: one("license"),
    description: one("description"),
    all,
  };
}

/** "pre: a b post: c", several times. */
function parseSoftdeps(values: readonly string[]): { pre: string[]; post: string[] } {
  const found = { pre: [] as string[], post: [] as string[] };
  for (const value of values) {
    let list: string[] | undefined;
    for (const word of value.split(/\s+/)) {
      if (word === "pre:") list = found.pre;
      else if (word === "post:") list = found.post;
      else if (word !== "") list?.push(word);
    }
  }
  return found;
}
