/** The stage that tells an initramfs which images it opens, by which root hash, and where each belongs. */
import { plainDirectory } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";

export interface VerifiedImage {
  /** What it is called below /dev/mapper. */
  readonly name: string;
  /** "PARTLABEL=host", "PARTLABEL=host-{slot}", "/dev/vda2". */
  readonly device: string;
  /** Where its hash tree lies; undefined: behind it. */
  readonly hashes: string | undefined;
  /** In the root file system; "/" is the root itself. */
  readonly mount: string;
  /** What the verity stage says of the image: JSON. */
  readonly description: BlobInput;
}

/** Read by the init script of root-init.ts: NAME DEVICE OFFSET ROOTHASH MOUNT, and HASHES where the tree is apart; the root first. */
export const VERITY_TABLE = "etc/bootwright/verity";

export function verityTable({
  name,
  images,
}: {
  name: string;
  images: readonly VerifiedImage[];
}): Stage<{ descriptions: readonly BlobInput[] }, { tree: TreeArtifact }> {
  const ordered = [...images].sort((a, b) => a.mount.length - b.mount.length);
  return defineStage<{ descriptions: readonly BlobInput[] }, { tree: TreeArtifact }>({
    name,
    kind: "verity-table",
    version: 1,
    inputs: { descriptions: ordered.map(({ description }) => description) },
    params: {
      images: ordered.map(({ name: called, device, hashes, mount }) => ({
        ...{ name: called, device, mount },
        ...(hashes !== undefined && { hashes }),
      })),
    },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const lines = ordered.map(({ name: called, device, hashes, mount }, i) => {
        const { hashOffset, rootHash } = JSON.parse(store.blobs.readAll(inputs.descriptions[i]!).toString("utf8"));
        return `${called} ${device} ${hashOffset} ${rootHash} ${mount}${hashes === undefined ? "" : ` ${hashes}`}\n`;
      });
      const content = store.blobs.put(lines.join(""));
      return {
        tree: store.putTree([
          plainDirectory(""),
          plainDirectory("etc"),
          plainDirectory("etc/bootwright"),
          { type: "file", path: VERITY_TABLE, mode: 0o644, uid: 0, gid: 0, content },
        ]),
      };
    },
  });
}
