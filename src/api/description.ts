/** What an artifact is made of, as data: for `inspect` to show and for `diff` to compare. */
import { DigestCounter, digestOf } from "../base/digest.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { readExactly } from "../formats/byte-source.ts";
import { decompress, detectCompression } from "../formats/decompress.ts";
import { readFat } from "../formats/fat-reader.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { isGpt, readGpt } from "../formats/gpt-reader.ts";
import { readLinuxImage } from "../formats/linux-image.ts";
import { readNewc } from "../formats/newc-reader.ts";
import { predictPcr11 } from "../formats/pcr11.ts";
import { isPe } from "../formats/pe.ts";
import { readSystemdMark } from "../formats/systemd-mark.ts";
import { inspectUki } from "../uki/inspect-uki.ts";
import type { OpenArtifact } from "./artifact-ref.ts";

export interface Description {
  readonly format: "tree" | "uki" | "addon" | "efi" | "initramfs" | "fat" | "disk" | "kernel" | "data";
  /** Bytes; of a tree, the sum of its files. */
  readonly size: number;
  /** "sha256:…" of the whole. */
  readonly digest: string;
  readonly facts: Readonly<Record<string, string>>;
  /** What follows from the parts alone. It is shown, and no difference of its own: the part that it comes from is one. */
  readonly derived?: Readonly<Record<string, string>>;
  readonly parts: readonly Part[];
}

export interface Part {
  /** Path or section; unique within its description. */
  readonly name: string;
  readonly size: number;
  /** What must agree for two parts to be the same: "mode", "digest", "target" … */
  readonly attributes: Readonly<Record<string, string>>;
  readonly inside?: Description;
}

/** Larger initramfs are described by digest only. */
const MAX_UNPACKED = 2 * 1024 ** 3;

export async function describe(artifact: OpenArtifact): Promise<Description> {
  if (artifact.kind === "tree") return describeTree(artifact.tree, artifact.hash);
  return describeBytes(artifact.source, { digest: artifact.hash ?? digestOfSource(artifact.source), deep: true });
}

async function describeBytes(
  source: ByteSource,
  { digest, deep }: { digest: string; deep: boolean },
): Promise<Description> {
  const common = { size: source.size, digest: `sha256:${digest}` };
  const head = Buffer.from(source.read(0, Math.min(512, source.size)));
  if (isPe(source)) {
    const kernel = kernelFacts(source);
    const uki = inspectUki(source);
    const names = new Set(uki.sections.map((section) => section.name));
    if (kernel !== undefined && !names.has(".linux")) return { format: "kernel", ...common, facts: kernel, parts: [] };
    const parts: Part[] = [];
    for (const section of uki.sections) {
      const { hash, size } = section.digest;
      const text = section.text === undefined ? {} : { text: section.text.replace(/\0+$/, "") };
      const nested = deep && [".initrd", ".linux"].includes(section.name);
      const inside = nested
        ? await describeBytes(slice(source, section.offset, size), { digest: hash, deep })
        : undefined;
      parts.push({
        name: section.name,
        size,
        attributes: { digest: `sha256:${hash}`, ...text },
        ...(inside && inside.format !== "data" && { inside }),
      });
    }
    return {
      format: names.has(".linux") ? "uki" : readSystemdMark(source, "addon") === undefined ? "efi" : "addon",
      ...common,
      facts: { machine: uki.machine, signed: uki.signed ? "yes" : "no" },
      ...(names.has(".linux") && { derived: pcrFacts(source) }),
      parts,
    };
  }
  const kernel = kernelFacts(source);
  if (kernel !== undefined) return { format: "kernel", ...common, facts: kernel, parts: [] };
  const segments = await initramfsParts(source, head);
  if (segments !== undefined) return { format: "initramfs", ...common, ...segments };
  if (isGpt(source)) return { format: "disk", ...common, ...(await diskParts(source)) };
  if (head.length === 512 && head.readUInt16LE(510) === 0xaa55) {
    const fat = fatParts(source);
    if (fat !== undefined) return { format: "fat", ...common, ...fat };
  }
  return { format: "data", ...common, facts: {}, parts: [] };
}

/** What systemd's stub will have measured into PCR 11, and what it is after each phase of the boot. */
function pcrFacts(source: ByteSource): Record<string, string> {
  try {
    return Object.fromEntries(
      predictPcr11(source).map(({ phase, value }) => [`PCR 11${phase === "" ? "" : ` ${phase}`}`, value]),
    );
  } catch (error) {
    if (hasCode(error, "UNSUPPORTED")) return {};
    throw error;
  }
}

function describeTree(tree: FileTree, hash: string): Description {
  const size = tree.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.size : 0), 0);
  return {
    format: "tree",
    size,
    digest: `sha256:${hash}`,
    facts: { entries: String(tree.length) },
    parts: tree.map(treePart),
  };
}

function treePart(entry: TreeEntry): Part {
  const attributes: Record<string, string> = {
    type: entry.type,
    mode: octal(entry.mode),
    owner: `${entry.uid}:${entry.gid}`,
  };
  if (entry.mtime !== undefined) attributes.mtime = String(entry.mtime);
  for (const { name, value } of entry.xattrs ?? []) attributes[`xattr ${name}`] = Buffer.from(value).toString("hex");
  if (entry.type === "file") {
    attributes.digest = `sha256:${entry.content.hash}`;
    if (entry.link !== undefined) attributes.link = String(entry.link);
  }
  if (entry.type === "symlink") attributes.target = entry.target;
  if (entry.type === "char" || entry.type === "block") attributes.device = `${entry.major}:${entry.minor}`;
  return { name: `/${entry.path}`, size: entry.type === "file" ? entry.content.size : 0, attributes };
}

/** Segments one after the other, each plain or compressed, as the kernel takes them. */
async function initramfsParts(
  source: ByteSource,
  head: Buffer,
): Promise<Pick<Description, "facts" | "parts"> | undefined> {
  const compression = detectCompression(head);
  const plain = /^07070[12]/.test(head.toString("latin1", 0, 6));
  if (!plain && compression === "none") return undefined;
  const bytes = Buffer.from(readExactly(source, { offset: 0, length: source.size, format: "initramfs" }));
  const parts = new Map<string, Part>();
  const facts: Record<string, string> = {};
  let at = 0;
  try {
    if (plain) {
      const { entries, end } = readNewc(bytes);
      for (const entry of entries) parts.set(entry.path, cpioPart(entry, bytes));
      at = end;
      facts.segments = at < bytes.length ? "uncompressed, then compressed" : "uncompressed";
    }
    if (at < bytes.length) {
      const rest = bytes.subarray(at);
      const format = detectCompression(rest);
      if (format === "none") return plain ? { facts, parts: [...parts.values()] } : undefined;
      facts.compression = format;
      const chunks: Uint8Array[] = [];
      const limits = { what: "initramfs", maxSize: MAX_UNPACKED, padded: true };
      for await (const chunk of decompress([rest], limits)) chunks.push(chunk);
      const unpacked = Buffer.concat(chunks);
      facts.unpacked = String(unpacked.length);
      for (const entry of readNewc(unpacked).entries) parts.set(entry.path, cpioPart(entry, unpacked));
    }
  } catch (error) {
    if (!hasCode(error, "FORMAT_INVALID") && !hasCode(error, "LIMIT_EXCEEDED")) throw error;
    return undefined;
  }
  if (parts.size === 0) return undefined;
  return {
    facts: { ...facts, entries: String(parts.size) },
    parts: [...parts.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function cpioPart(entry: ReturnType<typeof readNewc>["entries"][number], bytes: Buffer): Part {
  const attributes: Record<string, string> = {
    type: entry.type,
    mode: octal(entry.mode & 0o7777),
    owner: `${entry.uid}:${entry.gid}`,
    mtime: String(entry.mtime),
  };
  if (entry.type === "file")
    attributes.digest = `sha256:${digestOf(bytes.subarray(entry.offset, entry.offset + entry.size)).hash}`;
  if (entry.target !== undefined) attributes.target = entry.target;
  if (entry.type === "char" || entry.type === "block") attributes.device = `${entry.major}:${entry.minor}`;
  return { name: `/${entry.path}`, size: entry.type === "file" ? entry.size : 0, attributes };
}

async function diskParts(source: ByteSource): Promise<Pick<Description, "facts" | "parts">> {
  const gpt = readGpt(source);
  const parts: Part[] = [];
  for (const { name, type, id, offset, size } of gpt.partitions) {
    const content = slice(source, offset, size);
    const hash = digestOfSource(content);
    const inside = await describeBytes(content, { digest: hash, deep: true });
    const attributes = { type, id, offset: String(offset), digest: `sha256:${hash}` };
    parts.push({ name, size, attributes, ...(inside.format !== "data" && { inside }) });
  }
  return { facts: { "disk id": gpt.diskId, "sector size": String(gpt.sectorSize) }, parts };
}

function fatParts(source: ByteSource): Pick<Description, "facts" | "parts"> | undefined {
  try {
    const volume = readFat(source);
    const parts = volume.entries.map((entry): Part => {
      const attributes: Record<string, string> = { type: entry.type };
      if (entry.type === "file") attributes.digest = `sha256:${digestOfChunks(volume.read(entry))}`;
      return { name: `/${entry.path}`, size: entry.size, attributes };
    });
    return { facts: { type: `FAT${volume.type}`, label: volume.label ?? "", id: volume.volumeId.toString(16) }, parts };
  } catch (error) {
    if (error instanceof BootwrightError) return undefined;
    throw error;
  }
}

function kernelFacts(source: ByteSource): Record<string, string> | undefined {
  try {
    const image = readLinuxImage(source);
    return {
      architecture: image.architecture,
      ...(image.release !== undefined && { release: image.release }),
      "EFI stub": image.efiStub ? "yes" : "no",
    };
  } catch (error) {
    if (error instanceof BootwrightError) return undefined;
    throw error;
  }
}

const slice = (source: ByteSource, start: number, size: number): ByteSource => ({
  size,
  read: (offset, length) => source.read(start + offset, Math.max(0, Math.min(length, size - offset))),
});

const octal = (mode: number): string => mode.toString(8).padStart(4, "0");

const digestOfSource = (source: ByteSource): string => digestOfChunks(chunksOf(source));

function* chunksOf(source: ByteSource): Generator<Uint8Array> {
  for (let at = 0; at < source.size; at += 1024 * 1024) yield source.read(at, Math.min(1024 * 1024, source.size - at));
}

function digestOfChunks(chunks: Iterable<Uint8Array>): string {
  const counter = new DigestCounter();
  for (const chunk of chunks) counter.update(chunk);
  return counter.digest().hash;
}
