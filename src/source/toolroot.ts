/** The stage that unpacks packages into a root for command stages: merged /usr, mount points, nothing configured. */
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { MOUNT_POINTS } from "../stage/sandbox.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";

/** What Debian's usrmerge makes; the packages themselves may still ship the old places. */
const MERGED = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

export function toolroot({
  name,
  packages,
}: {
  name: string;
  packages: readonly TreeInput[];
}): Stage<{ packages: readonly TreeInput[] }, { tree: TreeArtifact }> {
  return defineStage({
    name,
    kind: "toolroot",
    version: 1,
    inputs: { packages },
    params: {},
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const builder = new TreeBuilder();
      const options = { origin: name };
      for (const dir of MERGED) {
        builder.add(plainDirectory(`usr/${dir}`), options);
        builder.add({ type: "symlink", path: dir, mode: 0o777, uid: 0, gid: 0, target: `usr/${dir}` }, options);
      }
      for (const dir of MOUNT_POINTS) builder.add(plainDirectory(dir), options);
      for (const tree of inputs.packages) builder.addTree(store.getTree(tree), options);
      // Documentation is most of a small toolroot's files and none of its use.
      builder.remove((path) => /^usr\/share\/(doc|man|locale|info|lintian)$/.test(path));
      return { tree: store.putTree(builder.build()) };
    },
  });
}
