/** Names and places in a module tree, as depmod and modprobe read them (modules.dep(5), modules.builtin of kbuild). */
import type { TreeEntry } from "../formats/filetree.ts";

const directory = (path: string): TreeEntry => ({ type: "directory", path, mode: 0o755, uid: 0, gid: 0 });

/** The directories above every module tree. */
export const TREE_ROOT: readonly TreeEntry[] = ["", "lib", "lib/modules"].map(directory);

const SUFFIX = /\.ko(\.(xz|zst|gz))?$/;

export const isModuleFile = (path: string): boolean => SUFFIX.test(path);

/** "virtio_pci", whatever the file's name has (`virtio-pci.ko.xz`). The kernel takes `-` and `_` as the same. */
export const moduleName = (path: string): string =>
  path
    .slice(path.lastIndexOf("/") + 1)
    .replace(SUFFIX, "")
    .replaceAll("-", "_");
