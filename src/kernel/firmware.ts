/**
 * The stage that takes firmware out of a collection of it: a distribution's packages (lib/firmware/…), or linux-firmware as it
 * is published, where WHENCE says which files there are and which names are links to them. Compressed files go by their plain
 * names, as the kernel looks for them (kernel Documentation/driver-api/firmware/fw_search_path.rst, CONFIG_FW_LOADER_COMPRESS).
 */
import path from "node:path/posix";
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";

export interface FirmwareOptions {
  readonly name: string;
  /** Where the firmware is; of a file in several, the last one counts. */
  readonly collection: readonly TreeInput[];
  /** Names and glob patterns below /lib/firmware; each must match something. A pattern without a slash is for the top alone. */
  readonly patterns: readonly string[];
  /** JSON array of names that modules ask for; taken where there are such. */
  readonly named?: BlobInput | undefined;
}

type FirmwareInputs = { collection: readonly TreeInput[]; named: BlobInput | undefined };

export function selectFirmware(options: FirmwareOptions): Stage<FirmwareInputs, { tree: TreeArtifact }> {
  return defineStage<FirmwareInputs, { tree: TreeArtifact }>({
    name: options.name,
    kind: "firmware",
    version: 1,
    inputs: { collection: options.collection, named: options.named },
    params: { patterns: options.patterns },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const files = collect(
        inputs.collection.map((tree) => store.getTree(tree)),
        store,
      );
      const named =
        inputs.named === undefined ? [] : (JSON.parse(store.blobs.readAll(inputs.named).toString()) as string[]);
      const builder = new TreeBuilder();
      builder.add(plainDirectory("lib/firmware"), { origin: options.name });
      for (const name of chooseFirmware(files, { patterns: options.patterns, named })) {
        const { entry, suffix } = files.get(name)!;
        builder.add({ ...entry, path: `lib/firmware/${name}${suffix}` }, { origin: options.name });
      }
      return { tree: store.putTree(builder.build()) };
    },
  });
}

export interface FirmwareFile {
  readonly entry: TreeEntry;
  /** ".xz", ".zst" or "". */
  readonly suffix: string;
}

/** Names, with what links lead to. Throws NAME_UNKNOWN for patterns that match nothing, PATH_MISSING for a link into nowhere. */
export function chooseFirmware(
  files: ReadonlyMap<string, FirmwareFile>,
  { patterns, named }: { patterns: readonly string[]; named: readonly string[] },
): string[] {
  const names = [...files.keys()];
  const chosen = new Set<string>();
  const unknown: string[] = [];
  for (const pattern of patterns) {
    const matching = names.filter((name) => name === pattern || path.matchesGlob(name, pattern));
    if (matching.length === 0) unknown.push(`"${pattern}"${didYouMean(pattern, names)}`);
    for (const name of matching) chosen.add(name);
  }
  if (unknown.length > 0)
    throw new BootwrightError("NAME_UNKNOWN", `there is no firmware ${unknown.join(", ")}`, {
      hint: "`sources.firmware` says where firmware comes from; Debian's firmware-* packages lie in non-free-firmware",
    });
  for (const pattern of named) for (const name of names) if (path.matchesGlob(name, pattern)) chosen.add(name);
  for (const name of chosen) {
    const { entry } = files.get(name)!;
    if (entry.type !== "symlink") continue;
    const target = plainName(path.normalize(path.join(path.dirname(name), entry.target)));
    if (files.has(target))
      chosen.add(target); // A set is walked to its end, also where it grows meanwhile.
    else throw new BootwrightError("PATH_MISSING", `firmware ${name} is a link to ${target}, which is not there`);
  }
  return [...chosen].sort();
}

const SUFFIX = /\.(xz|zst)$/;

const plainName = (name: string): string => name.replace(SUFFIX, "");

function collect(trees: readonly FileTree[], store: Store): Map<string, FirmwareFile> {
  const files = new Map<string, FirmwareFile>();
  const add = (name: string, entry: TreeEntry) => {
    const suffix = SUFFIX.exec(name)?.[0] ?? "";
    files.set(plainName(name), { entry, suffix });
  };
  for (const tree of trees) {
    const whence = tree.find((entry) => /^([^/]+\/)?WHENCE$/.test(entry.path));
    if (whence?.type === "file") {
      const top = whence.path.slice(0, -"WHENCE".length);
      const entries = new Map(tree.map((entry) => [entry.path, entry]));
      const { names, links } = parseWhence(store.readContent(whence.content).toString("utf8"));
      for (const name of names)
        for (const suffix of ["", ".xz", ".zst"]) {
          const entry = entries.get(`${top}${name}${suffix}`);
          if (entry?.type === "file" || entry?.type === "symlink") add(`${name}${suffix}`, entry);
        }
      for (const { name, target } of links) {
        const to = files.get(path.normalize(path.join(path.dirname(name), target)));
        const suffix = to?.suffix ?? "";
        const link = { type: "symlink" as const, path: "", mode: 0o777, uid: 0, gid: 0, target: `${target}${suffix}` };
        if (!files.has(name)) add(`${name}${suffix}`, link);
      }
      continue;
    }
    for (const entry of tree) {
      const name = /^(?:usr\/)?lib\/firmware\/(?:updates\/)?(.+)$/.exec(entry.path)?.[1];
      if (name !== undefined && (entry.type === "file" || entry.type === "symlink")) add(name, entry);
    }
  }
  return files;
}

/** linux-firmware's WHENCE: `File: NAME`, `RawFile: NAME`, `Link: NAME -> TARGET`; names may stand in quotes. */
export function parseWhence(text: string): {
  readonly names: readonly string[];
  readonly links: readonly { readonly name: string; readonly target: string }[];
} {
  const names: string[] = [];
  const links: { name: string; target: string }[] = [];
  const bare = (word: string) =>
    word
      .trim()
      .replace(/^"(.*)"$/, "$1")
      .replaceAll("\\ ", " ");
  for (const line of text.split("\n")) {
    const file = /^(?:Raw)?File:\s*(.+)$/.exec(line);
    const link = /^Link:\s*(.+?)\s*->\s*(.+)$/.exec(line);
    if (file) names.push(bare(file[1]!));
    if (link) links.push({ name: bare(link[1]!), target: bare(link[2]!) });
  }
  return { names, links };
}
