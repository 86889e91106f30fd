/** Which kinds of image a machine can be started from; the others are files for something else. */
import type { ImageKind } from "../image/schema.ts";

const FILES: ReadonlySet<ImageKind> = new Set<ImageKind>([
  "addon",
  "cpio",
  "file",
  "tar",
  "squashfs",
  "erofs",
  "ext4",
  "oci",
  "sha256sums",
  "update",
  "verity-signature",
  "verity-tree",
]);

export const isBootable = (kind: ImageKind): boolean => !FILES.has(kind);
