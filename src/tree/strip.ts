/**
 * Stages around strip(1), so that programs lose their symbols and nothing else changes: the contents of all ELF files of a
 * tree go into one archive, each content once, under its digest; what comes back replaces them wherever they stand. Owners,
 * modes, capabilities and links are never in a tool's hands.
 */
import { isElf, readElf } from "../formats/elf.ts";
import type { FileContent, FileTree } from "../formats/filetree.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { requireBudget } from "./budget.ts";

/** e_machine of the two architectures that we build for. */
const MACHINES = { amd64: 62, arm64: 183 } as const;

/** e_type: kernel modules keep what links them, so they lose debugging alone. */
const RELOCATABLE = 1;

/** ELF header of 64 bits. */
const HEADER = 64;

/** Programs and libraries as `program/DIGEST`, kernel modules as `module/DIGEST`. */
export function elfArchive({
  name,
  tree,
  arch,
}: {
  name: string;
  tree: TreeInput;
  arch: keyof typeof MACHINES;
}): Stage<{ tree: TreeInput }, { archive: BlobArtifact }> {
  return defineStage<{ tree: TreeInput }, { archive: BlobArtifact }>({
    name,
    kind: "elf-archive",
    version: 1,
    inputs: { tree },
    params: { arch },
    outputs: ["archive"],
    run: async ({ inputs, store, signal }) => {
      const { encodeTar } = await import("../formats/tar-writer.ts");
      const found = new Map<string, { kind: string; content: FileContent }>();
      for (const entry of store.getTree(inputs.tree)) {
        signal.throwIfAborted();
        if (entry.type !== "file" || entry.content.size < HEADER || found.has(entry.content.hash)) continue;
        const kind = elfKind(store, { content: entry.content, machine: MACHINES[arch] });
        if (kind !== undefined) found.set(entry.content.hash, { kind, content: entry.content });
      }
      const owner = { uid: 0, gid: 0 };
      const files: FileTree = [
        ...["module", "program"].map((path) => ({ type: "directory" as const, path, mode: 0o755, ...owner })),
        ...[...found]
          .map(([hash, { kind, content }]) => ({
            type: "file" as const,
            path: `${kind}/${hash}`,
            mode: 0o644,
            content,
            ...owner,
          }))
          .sort((a, b) => (a.path < b.path ? -1 : 1)),
      ];
      const reader = store.reader();
      try {
        return { archive: blobArtifact(store.blobs.putSync(encodeTar(files, { read: reader.read, mtime: 0 }))) };
      } finally {
        reader.close();
      }
    },
  });
}

/** Undefined for what strip(1) is not to touch: no ELF file, one of another machine, or one that is damaged. */
function elfKind(
  store: Store,
  { content, machine }: { content: FileContent; machine: number },
): "program" | "module" | undefined {
  const [head] = store.read(content);
  if (head === undefined || !isElf(head)) return undefined;
  try {
    const elf = readElf(store.readContent(content));
    if (elf.machine !== machine || elf.bits !== 64) return undefined;
    return elf.type === RELOCATABLE ? "module" : "program";
  } catch {
    return undefined; // It stays as it is.
  }
}

/** Runs in a toolroot with BusyBox: `inputs/archive` → `outputs/archive`. A file that strip refuses stays as it is. */
export const stripScript = (strip: string): string =>
  [
    "mkdir files && cd files && tar -xf ../inputs/archive",
    `for f in program/*; do [ -f "$f" ] && { ${strip} --strip-unneeded "$f" 2>/dev/null || :; }; done`,
    `for f in module/*; do [ -f "$f" ] && { ${strip} --strip-debug "$f" 2>/dev/null || :; }; done`,
    "tar -cf ../outputs/archive module program",
  ].join("\n");

/** `stripped`: the tree of the archive that came back. */
export function replaceElf({
  name,
  tree,
  stripped,
  budget,
}: {
  name: string;
  tree: TreeInput;
  stripped: TreeInput;
  /** Bytes that the files may then have in all. */
  budget?: number | undefined;
}): Stage<{ tree: TreeInput; stripped: TreeInput }, { tree: TreeArtifact }> {
  return defineStage<{ tree: TreeInput; stripped: TreeInput }, { tree: TreeArtifact }>({
    name,
    kind: "replace-elf",
    version: 1,
    inputs: { tree, stripped },
    params: { ...(budget !== undefined && { budget }) },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const contents = new Map<string, FileContent>();
      for (const entry of store.getTree(inputs.stripped))
        if (entry.type === "file") contents.set(entry.path.slice(entry.path.indexOf("/") + 1), entry.content);
      const replaced = store.getTree(inputs.tree).map((entry) => {
        const content = entry.type === "file" ? contents.get(entry.content.hash) : undefined;
        return entry.type === "file" && content !== undefined ? { ...entry, content } : entry;
      });
      if (budget !== undefined) requireBudget(replaced, { name, budget });
      return { tree: store.putTree(replaced) };
    },
  });
}
