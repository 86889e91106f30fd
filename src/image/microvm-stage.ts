/** The stage that lays out a microVM: kernel in both forms, root disk, and how each monitor is asked to run it. */
import { comparePaths } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import type { Json } from "../base/json.ts";
import type { FileEntry } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import { cloudHypervisorConfig, firecrackerConfig, MICROVM_FILES, type Microvm, qemuArguments } from "./microvm.ts";

export interface MicrovmStageOptions {
  readonly name: string;
  readonly kernel: BlobInput;
  /** The kernel as an ELF file; absent on arm64. */
  readonly elf: BlobInput | undefined;
  readonly initrd: BlobInput | undefined;
  readonly root: BlobInput;
  readonly vm: Microvm;
}

type MicrovmInputs = {
  kernel: BlobInput;
  elf: BlobInput | undefined;
  initrd: BlobInput | undefined;
  root: BlobInput;
};

/** What is inside a bzImage: an ELF file, or one that xz has packed. Throws UNSUPPORTED for other compressors. */
export function kernelPayload({
  name,
  kernel,
}: {
  name: string;
  kernel: BlobInput;
}): Stage<{ kernel: BlobInput }, { payload: BlobArtifact }> {
  return defineStage({
    name,
    kind: "kernel-payload",
    version: 1,
    inputs: { kernel },
    params: {},
    outputs: ["payload"],
    run: async ({ inputs, store }) => {
      const { readKernelPayload } = await import("../formats/vmlinux.ts");
      using source = openBlobSource(store.blobs, inputs.kernel);
      return { payload: blobArtifact(store.blobs.put((await readKernelPayload(source)).bytes)) };
    },
  });
}

/** As the program of a command stage: inputs/payload → outputs/elf. */
export const UNPACK_PAYLOAD =
  'case $(od -An -tx1 -N6 inputs/payload | tr -d " ") in fd377a585a00) /usr/bin/xz --decompress --stdout <inputs/payload >outputs/elf;; *) cp inputs/payload outputs/elf;; esac';

export function microvmStage(options: MicrovmStageOptions): Stage<MicrovmInputs, { tree: TreeArtifact }> {
  const { name, kernel, elf, initrd, root, vm } = options;
  return defineStage<MicrovmInputs, { tree: TreeArtifact }>({
    name,
    kind: "microvm",
    version: 2,
    inputs: { kernel, elf, initrd, root },
    params: { vm: vm as unknown as Json },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const text = (content: string) => store.blobs.put(content);
      const json = (document: Json) => text(`${JSON.stringify(document, undefined, 2)}\n`);
      const files = [
        file(MICROVM_FILES.kernel, inputs.kernel),
        ...(inputs.elf === undefined ? [] : [file(MICROVM_FILES.elf, inputs.elf)]),
        ...(inputs.initrd === undefined ? [] : [file(MICROVM_FILES.initrd, inputs.initrd)]),
        file(vm.root.file, inputs.root),
        file("cmdline", text(`${vm.cmdline}\n`)),
        file("qemu.args", text(qemuArguments(vm))),
        file("firecracker.json", json(firecrackerConfig(vm))),
        file("cloud-hypervisor.json", json(cloudHypervisorConfig(vm))),
      ];
      files.sort((a, b) => comparePaths(a.path, b.path));
      return { tree: store.putTree([{ type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 }, ...files]) };
    },
  });
}

const file = (path: string, { hash, size }: Digest): FileEntry => ({
  ...{ type: "file", path, mode: 0o644, uid: 0, gid: 0 },
  content: { hash, size },
});
