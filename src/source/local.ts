/** A local file or directory as a stage: what it will give is known before it runs, since planning looked at the files. */
import path from "node:path";
import { defineStage, type Stage } from "../stage/stage.ts";
import { type TreeArtifact, treeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { type Snapshot, storeSnapshot, takeSnapshot } from "./snapshot.ts";

export interface LocalSource {
  readonly stage: Stage<Record<never, never>, { tree: TreeArtifact }>;
  readonly snapshot: Snapshot;
}

/** `label` is the path as the config has it. Throws PATH_MISSING. */
export function localSource(
  label: string,
  options: { projectDir: string; store: Store | undefined; ignore?: (path: string) => boolean },
): LocalSource {
  const snapshot = takeSnapshot(path.resolve(options.projectDir, label), options);
  const tree = treeArtifact(snapshot.digest);
  const stage = defineStage<Record<never, never>, { tree: TreeArtifact }>({
    name: `local:${label}`,
    kind: "local",
    version: 1,
    inputs: {},
    params: { tree: snapshot.digest.hash },
    outputs: ["tree"],
    pinned: { tree },
    run: async ({ store, signal, progress }) => {
      storeSnapshot(snapshot, {
        store,
        signal,
        progress: (done, total) => progress(done, { total, unit: "files", what: "copying" }),
      });
      return { tree };
    },
  });
  return { stage, snapshot };
}
