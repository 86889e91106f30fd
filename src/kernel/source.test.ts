import { expect, it } from "vitest";
import { digestOf } from "../base/digest.ts";
import { stageKey } from "../stage/key.ts";
import { type AnyStage, isRef } from "../stage/stage.ts";
import { blobArtifact, treeArtifact } from "../store/artifact.ts";
import { relinkKernel } from "./relink.ts";
import { compileKernel } from "./source.ts";
import { toolchain } from "./toolchain.ts";

const blob = (text: string) => blobArtifact(digestOf(text));

const common = {
  name: "kernel:k",
  toolroot: treeArtifact(digestOf("toolroot")),
  toolchain: toolchain({ arch: "x86_64", host: "x86_64", compiler: "gcc", rust: false }),
  epoch: 0,
};

const compiled = (ccache: boolean): AnyStage =>
  compileKernel({
    ...{ ...common, ccache, source: blob("source"), config: blob("config"), patches: [], fragments: [], require: [] },
    ...{ base: "allnoconfig", localversion: "", moduleCompression: "none" },
  });

/** The stage before the link. */
function withCmdline(ccache: boolean): AnyStage {
  const { inputs } = relinkKernel({ ...common, ccache, tree: blob("tree"), initramfs: undefined, cmdline: "quiet" });
  const tree = inputs.tree!;
  if (!isRef(tree)) throw new Error("the command line is built in by a stage of its own");
  return tree.stage;
}

it.each([
  ["a kernel", compiled],
  ["a kernel with a command line of its own", withCmdline],
])("%s has one key, whether compiled files are remembered or not", (_, stage) => {
  const keyOf = (ccache: boolean): string => stageKey(stage(ccache), () => blob("made")).key;
  expect(keyOf(true)).toBe(keyOf(false));
});
