/** Small stages for tests of what runs them: each says when it ran. */
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import { type BlobInput, defineStage, type Stage, type StageContext, type TreeInput } from "./stage.ts";

export type FakeStage = Stage<{ parts: readonly BlobInput[] }, { file: BlobArtifact }>;

/** Names of stages in the order in which they ran. */
export type Log = string[];

/** Joins its inputs and its text. `during` happens while it runs. */
export function textStage(
  name: string,
  options: {
    readonly text?: string;
    readonly parts?: readonly BlobInput[];
    readonly log?: Log;
    readonly version?: number;
    readonly during?: (ctx: StageContext) => unknown;
    /** Replaces what it gives. */
    readonly gives?: (joined: string) => string;
  } = {},
): FakeStage {
  const { text = "", parts = [], log = [], gives = (joined) => joined } = options;
  return defineStage({
    name,
    kind: "fake-text",
    version: options.version ?? 1,
    inputs: { parts },
    params: { text },
    outputs: ["file"],
    run: async (ctx) => {
      log.push(name);
      await options.during?.(ctx as unknown as StageContext);
      const read = ctx.inputs.parts.map((part) => ctx.store.blobs.readAll(part).toString());
      return { file: blobArtifact(ctx.store.blobs.put(gives([...read, text].join("")))) };
    },
  });
}

/** A tree with one file "data" of that text. */
export function treeStage(
  name: string,
  text: string,
  log: Log = [],
): Stage<Record<never, never>, { tree: TreeArtifact }> {
  return defineStage<Record<never, never>, { tree: TreeArtifact }>({
    name,
    kind: "fake-tree",
    version: 1,
    inputs: {},
    params: { text },
    outputs: ["tree"],
    run: async ({ store }) => {
      log.push(name);
      const content = store.blobs.put(text);
      return { tree: store.putTree([{ type: "file", path: "data", mode: 0o644, uid: 0, gid: 0, content }]) };
    },
  });
}

/** The text of a tree's file "data". */
export function dataStage(
  name: string,
  tree: TreeInput,
  log: Log = [],
): Stage<{ tree: TreeInput }, { file: BlobArtifact }> {
  return defineStage<{ tree: TreeInput }, { file: BlobArtifact }>({
    name,
    kind: "fake-data",
    version: 1,
    inputs: { tree },
    params: {},
    outputs: ["file"],
    run: async ({ inputs, store }) => {
      log.push(name);
      const [entry] = store.getTree(inputs.tree);
      if (entry?.type !== "file") throw new Error("no data");
      return { file: blobArtifact(store.blobs.put(store.readContent(entry.content))) };
    },
  });
}
