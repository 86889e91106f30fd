/**
 * The early segment with processor microcode (kernel Documentation/arch/x86/microcode.rst): an uncompressed cpio, before
 * all else, with one file a vendor. A local source is such a cpio already, or a directory of the vendors' files.
 */

import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileEntry, FileTree, TreeEntry } from "../formats/filetree.ts";
import { encodeNewc } from "../formats/newc.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";

const HOME = "kernel/x86/microcode";
const NAMES = { "amd-ucode": "AuthenticAMD.bin", "intel-ucode": "GenuineIntel.bin" } as const;

export function microcodeSegment({
  name,
  sources,
  epoch,
}: {
  name: string;
  sources: readonly TreeInput[];
  epoch: number;
}): Stage<{ sources: readonly TreeInput[] }, { segment: BlobArtifact }> {
  return defineStage({
    name,
    kind: "microcode",
    version: 1,
    inputs: { sources },
    params: { epoch },
    outputs: ["segment"],
    run: async ({ inputs, store }) => {
      const parts = function* (): Generator<Uint8Array> {
        for (const source of inputs.sources) yield* segmentOf(store, { tree: store.getTree(source), epoch });
      };
      return { segment: blobArtifact(store.blobs.putSync(parts())) };
    },
  });
}

function* segmentOf(store: Store, { tree, epoch }: { tree: FileTree; epoch: number }): Generator<Uint8Array> {
  const [first] = tree;
  if (first?.type === "file" && first.path === "") {
    yield* store.read(first.content);
    yield Buffer.alloc(alignUp(first.content.size, 4) - first.content.size);
    return;
  }
  const entries: TreeEntry[] = [];
  for (const [vendor, file] of Object.entries(NAMES)) {
    const parts = tree.filter(
      (entry): entry is FileEntry =>
        entry.type === "file" && entry.path.split("/").includes(vendor) && !/(\.asc|README)$/.test(entry.path),
    );
    if (parts.length === 0) continue;
    // All of a vendor's files one after the other: the kernel picks the one for its processor.
    const content = store.blobs.putSync(concat(store, parts));
    entries.push({ type: "file", path: `${HOME}/${file}`, mode: 0o644, uid: 0, gid: 0, content });
  }
  if (entries.length === 0)
    throw new BootwrightError("UNSUPPORTED", "the microcode directory holds neither amd-ucode/ nor intel-ucode/", {
      hint: "name a directory with these, or a ready cpio file",
    });
  const parents = ["kernel", "kernel/x86", HOME].map(
    (path): TreeEntry => ({ type: "directory", path, mode: 0o755, uid: 0, gid: 0 }),
  );
  yield* encodeNewc([...parents, ...entries], { read: store.read, mtime: epoch });
}

function* concat(store: Store, files: readonly FileEntry[]): Generator<Uint8Array> {
  for (const { content } of files) yield* store.read(content);
}
