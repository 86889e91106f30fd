/** A module tree with the indexes that kmod's modprobe reads, made by depmod(8): distributions make them when they install. */
import { commandStage } from "../stage/command.ts";
import type { BlobInput, TreeInput } from "../stage/stage.ts";

/** Debian packages of the toolroot. */
export const DEPMOD_PACKAGES = ["bash", "coreutils", "findutils", "kmod", "tar"] as const;

export interface DepmodOptions {
  readonly name: string;
  readonly toolroot: TreeInput;
  /** The modules as tar: lib/modules/RELEASE/… */
  readonly modules: BlobInput;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

/** Output: the same tar with indexes. */
export function depmod({ name, toolroot, modules, epoch }: DepmodOptions) {
  const script = `set -euo pipefail
umask 022
mkdir tree
tar -xf inputs/modules -C tree
for dir in tree/lib/modules/*/; do [ ! -d "$dir" ] || depmod -b tree "$(basename "$dir")"; done
tar -C tree --sort=name --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --mtime=@${epoch} --owner=0 --group=0 --numeric-owner -cf outputs/modules .
`;
  return commandStage({ name, toolroot, argv: ["bash", "-c", script], inputs: { modules }, outputs: ["modules"] });
}
