/** A root for sandboxed programs in tests: a static BusyBox and nothing else. */
import { readFileSync } from "node:fs";
import type { FileTree } from "../../src/formats/filetree.ts";
import { plainDirectory, TreeBuilder } from "../../src/formats/tree-builder.ts";
import { MOUNT_POINTS } from "../../src/stage/sandbox.ts";
import type { TreeArtifact } from "../../src/store/artifact.ts";
import type { Store } from "../../src/store/store.ts";
import { needProgram } from "./need-program.ts";

/** Without `env` and other applets: what the sandbox itself needs must come from the host. */
const APPLETS = ["cat", "cp", "hostname", "id", "ip", "ln", "ls", "mkdir", "rm", "rmdir", "sh", "sleep", "touch"];

export function busyboxRoot(store: Store): TreeArtifact {
  const content = store.blobs.put(readFileSync(needProgram("busybox", "busybox-static")));
  const builder = new TreeBuilder();
  const origin = { origin: "test" };
  for (const dir of MOUNT_POINTS) builder.add(plainDirectory(dir), origin);
  builder.add({ type: "file", path: "bin/busybox", mode: 0o755, uid: 0, gid: 0, content }, origin);
  for (const name of APPLETS)
    builder.add({ type: "symlink", path: `bin/${name}`, mode: 0o777, uid: 0, gid: 0, target: "busybox" }, origin);
  const tree: FileTree = builder.build();
  return store.putTree(tree);
}
