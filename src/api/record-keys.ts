/** Public keys of a record, as files of the project. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import { parseMinisignKey } from "../formats/minisign.ts";
import type { RecordKey } from "../release/entry.ts";

interface KeyFile {
  readonly file: string;
  readonly until?: number | undefined;
}

/** Throws PATH_MISSING, FORMAT_INVALID. */
export function loadRecordKeys(
  files: readonly KeyFile[],
  { dir, whose }: { dir: string; whose: string },
): readonly RecordKey[] {
  return files.map(({ file, until }) => {
    const bytes = readIfExists(path.resolve(dir, file));
    if (bytes !== undefined) return { key: parseMinisignKey(bytes.toString("utf8"), file), until };
    throw new BootwrightError("PATH_MISSING", `${file}, a key of ${whose}, is not there`, {
      hint: "ask who runs the platform for the public key that signs its record",
    });
  });
}
