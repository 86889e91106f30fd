/** The stage that makes what a machine updates itself with: the script, its settings, and the key that it trusts. */
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { UpdateConfig } from "./schema.ts";

export interface UpdaterTreeOptions {
  readonly name: string;
  /** The project's: an update for another is refused. */
  readonly product: string;
  readonly version: string;
  readonly update: Readonly<Pick<UpdateConfig, "release" | "floor" | "watchdog">> & {
    readonly health: readonly string[];
  };
  /** "BOOTX64.EFI". */
  readonly bootFile: string;
  /** minisign public key. */
  readonly key: BlobInput;
  /** The text of guest/update.sh. */
  readonly script: string;
  /** The text of guest/partuuid.sh. */
  readonly partuuidScript: string;
}

export const UPDATER = "usr/sbin/bootwright-update";
const LIBRARY = "usr/lib/bootwright";

export function updaterTree(options: UpdaterTreeOptions): Stage<{ key: BlobInput }, { tree: TreeArtifact }> {
  const { name, product, version, update, bootFile, script, partuuidScript } = options;
  const { release, floor, health, watchdog } = update;
  const settings = [
    `NAME='${product}'`,
    `VERSION='${version}'`,
    `RELEASE=${release}`,
    `FLOOR=${floor}`,
    `WATCHDOG=${watchdog}`,
    `BOOT_FILE=${bootFile}`,
    `HEALTH='${health.join("\n")}'`,
    "",
  ].join("\n");
  return defineStage<{ key: BlobInput }, { tree: TreeArtifact }>({
    name,
    kind: "updater",
    version: 1,
    inputs: { key: options.key },
    params: { settings, script, partuuidScript },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const builder = new TreeBuilder();
      const origin = { origin: "updater" };
      const file = (path: string, content: { hash: string; size: number }, mode = 0o644) =>
        builder.add({ type: "file", path, mode, uid: 0, gid: 0, content }, origin);
      builder.add(plainDirectory("usr"), origin);
      file(UPDATER, store.blobs.put(script), 0o755);
      file(`${LIBRARY}/partuuid.sh`, store.blobs.put(partuuidScript));
      file(`${LIBRARY}/update.conf`, store.blobs.put(settings));
      file(`${LIBRARY}/update.pub`, { hash: inputs.key.hash, size: inputs.key.size });
      return { tree: store.putTree(builder.build()) };
    },
  });
}
