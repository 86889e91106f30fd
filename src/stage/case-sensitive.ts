/**
 * Some sources have files whose names differ only in case (Linux: xt_tcpmss.c and xt_TCPMSS.c). On a file system that takes them for
 * one, such as a directory of macOS that is mounted into a container, the second overwrites the first, and what is
 * compiled is wrong or fails far from the cause.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { removeQuietly } from "../base/fs.ts";

export interface CaseOptions {
  /** The stage that needs it. */
  readonly stage: string;
  readonly exists?: (file: string) => boolean;
}

/** Throws UNSUPPORTED when `dir` tells no upper case from lower case. */
export function requireCaseSensitive(dir: string, { stage, exists = fs.existsSync }: CaseOptions): void {
  const probe = path.join(dir, "case-probe");
  fs.writeFileSync(probe, "");
  try {
    if (!exists(path.join(dir, "CASE-PROBE"))) return;
  } finally {
    removeQuietly(probe);
  }
  throw new BootwrightError("UNSUPPORTED", `${stage} needs a file system that tells upper case from lower case`, {
    detail: `${dir} lies on one that does not, as directories of macOS and Windows do not: files of the source would overwrite each other`,
    hint: "set BOOTWRIGHT_STORE to a directory on a Linux file system, such as a volume of the container",
  });
}
