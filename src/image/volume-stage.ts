/**
 * The stage that lays out one partition of a disk. It is one of its own, so that a change in another partition (a signed program
 * of the EFI system partition, mostly) costs this one nothing: the disk points to where its bytes lie.
 */
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { ExtentsArtifact } from "../store/artifact.ts";
import type { VolumeOptions } from "./volume.ts";

export interface VolumeStageOptions extends Omit<VolumeOptions, "read"> {
  readonly name: string;
  readonly tree: TreeInput;
}

/** Throws as `layOutVolume` does. */
export function volumeStage(options: VolumeStageOptions): Stage<{ tree: TreeInput }, { image: ExtentsArtifact }> {
  const { name, tree, fs, seed, epoch, label, size } = options;
  return defineStage<{ tree: TreeInput }, { image: ExtentsArtifact }>({
    name,
    kind: "volume",
    version: 1,
    inputs: { tree },
    params: { fs, seed, epoch, label, size: size ?? null },
    outputs: ["image"],
    // The file systems are loaded when one is written: an unchanged build needs none of them.
    run: async ({ inputs, store }) =>
      (await import("./volume-writer.ts")).writeVolume(store, { ...options, tree: inputs.tree }),
  });
}
