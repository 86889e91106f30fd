/**
 * The stage that writes a command line by which the kernel itself opens a verified root, with no initramfs: dm-mod.create=
 * (kernel Documentation/admin-guide/device-mapper/dm-init.rst; it needs CONFIG_DM_INIT).
 */
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

export interface VerityCmdlineOptions {
  readonly name: string;
  /** The rest of the command line. */
  readonly cmdline: string;
  /** What the root is called below /dev/mapper. */
  readonly device: string;
  /** Of the partition: "PARTLABEL=root", "PARTUUID=…", "/dev/vda2". */
  readonly partition: string;
  /** Of the hash tree, where that is apart. */
  readonly hashes: string | undefined;
  /** What the verity stage says of the image: JSON. */
  readonly description: BlobInput;
}

const SECTORS_PER_BLOCK = 8;
const BLOCK = 4096;

export function verityCmdline(
  options: VerityCmdlineOptions,
): Stage<{ description: BlobInput }, { cmdline: BlobArtifact }> {
  const { name, cmdline, device, partition, hashes = partition } = options;
  return defineStage<{ description: BlobInput }, { cmdline: BlobArtifact }>({
    name,
    kind: "verity-cmdline",
    version: 1,
    inputs: { description: options.description },
    params: { cmdline, device, partition, hashes },
    outputs: ["cmdline"],
    run: async ({ inputs, store }) => {
      const verity = JSON.parse(store.blobs.readAll(inputs.description).toString("utf8"));
      const { rootHash, salt, dataBlocks, hashOffset } = verity;
      // The tree starts behind its superblock, which the kernel does not read.
      const hashStart = hashOffset / BLOCK + 1;
      const target = [
        ...["0", dataBlocks * SECTORS_PER_BLOCK, "verity", "1", partition, hashes, BLOCK, BLOCK],
        // A damaged block stops the machine and says so, rather than being an error of some program's.
        ...[dataBlocks, hashStart, "sha256", rootHash, salt, "1", "panic_on_corruption"],
      ].join(" ");
      const words = [`dm-mod.create="${device},,0,ro,${target}"`, "root=/dev/dm-0", "ro", "rootwait"];
      return { cmdline: blobArtifact(store.blobs.put([cmdline, ...words].filter(Boolean).join(" "))) };
    },
  });
}
