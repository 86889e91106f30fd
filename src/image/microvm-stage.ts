/** The stage that lays out a microVM: kernel in both forms, root disk, and how each monitor is asked to run it. */
import { comparePaths } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import type { Json } from "../base/json.ts";
import type { FileEntry } from "../formats/filetree.ts";
import { readVmlinux } from "../formats/vmlinux.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import { cloudHypervisorConfig, firecrackerConfig, MICROVM_FILES, type Microvm, qemuArguments } from "./microvm.ts";

export interface MicrovmStageOptions {
  readonly name: string;
  readonly kernel: BlobInput;
  readonly initrd: BlobInput | undefined;
  readonly root: BlobInput;
  readonly vm: Microvm;
}

type MicrovmInputs = { kernel: BlobInput; initrd: BlobInput | undefined; root: BlobInput };

/** Throws UNSUPPORTED for a kernel that cannot be unpacked to an ELF file. */
export function microvmStage(options: MicrovmStageOptions): Stage<MicrovmInputs, { tree: TreeArtifact }> {
  const { name, kernel, initrd, root, vm } = options;
  return defineStage<MicrovmInputs, { tree: TreeArtifact }>({
    name,
    kind: "microvm",
    version: 1,
    inputs: { kernel, initrd, root },
    params: { vm: vm as unknown as Json },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const text = (content: string) => store.blobs.put(content);
      const json = (document: Json) => text(`${JSON.stringify(document, undefined, 2)}\n`);
      const files = [
        file(MICROVM_FILES.kernel, inputs.kernel),
        ...(inputs.initrd === undefined ? [] : [file(MICROVM_FILES.initrd, inputs.initrd)]),
        file(vm.root.file, inputs.root),
        file("cmdline", text(`${vm.cmdline}\n`)),
        file("qemu.args", text(qemuArguments(vm))),
        file("firecracker.json", json(firecrackerConfig(vm))),
        file("cloud-hypervisor.json", json(cloudHypervisorConfig(vm))),
      ];
      if (vm.architecture === "amd64") {
        using source = openBlobSource(store.blobs, inputs.kernel);
        files.push(file(MICROVM_FILES.elf, store.blobs.put(await readVmlinux(source))));
      }
      files.sort((a, b) => comparePaths(a.path, b.path));
      return { tree: store.putTree([{ type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 }, ...files]) };
    },
  });
}

const file = (path: string, { hash, size }: Digest): FileEntry => ({
  ...{ type: "file", path, mode: 0o644, uid: 0, gid: 0 },
  content: { hash, size },
});
