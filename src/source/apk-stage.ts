/** The stage that opens a package of Alpine: its files as a tar, and what its control segment says. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { BootwrightError, isBootwrightError, messageOf } from "../base/errors.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

export type OpenedApk = {
  /** Uncompressed tar. */
  readonly data: BlobArtifact;
  /** ApkControl as JSON. */
  readonly control: BlobArtifact;
};

/** What one package may unpack to. */
const MAX_DATA = 16 * 2 ** 30;

/** Throws FORMAT_INVALID, DIGEST_MISMATCH when the files are not those that the control segment speaks of. */
export function openApk({
  name,
  file,
  what,
}: {
  name: string;
  file: BlobInput;
  what: string;
}): Stage<{ file: BlobInput }, OpenedApk> {
  return defineStage<{ file: BlobInput }, OpenedApk>({
    name,
    kind: "open-apk",
    version: 1,
    inputs: { file },
    params: {},
    outputs: ["data", "control"],
    run: async ({ inputs, store }) => {
      const { APK_HEAD, readApkControl } = await import("../formats/apk-package.ts");
      const { blobs } = store;
      const head = Buffer.concat([...blobs.read(inputs.file, { length: Math.min(APK_HEAD, inputs.file.size) })]);
      const control = await readApkControl(head, { what });
      const hash = createHash("sha256");
      const packed = function* () {
        for (const chunk of blobs.read(inputs.file, { offset: control.dataAt })) {
          hash.update(chunk);
          yield chunk;
        }
      };
      const data = await blobs.putStream(unpacked(packed(), what));
      if (hash.digest("hex") !== control.dataHash)
        throw new BootwrightError(
          "DIGEST_MISMATCH",
          `${what}: its files are not those that its control segment speaks of`,
        );
      return { data: blobArtifact(data), control: blobArtifact(blobs.put(JSON.stringify(control))) };
    },
  });
}

async function* unpacked(chunks: Iterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for await (const chunk of Readable.from(chunks, { objectMode: false }).compose(createGunzip())) {
      size += (chunk as Buffer).length;
      if (size > MAX_DATA)
        throw new BootwrightError("LIMIT_EXCEEDED", `${what}: unpacks to more than ${MAX_DATA} bytes`);
      yield chunk as Buffer;
    }
  } catch (error) {
    if (isBootwrightError(error)) throw error;
    throw new BootwrightError("FORMAT_INVALID", `${what}: damaged gzip data: ${messageOf(error)}`, { cause: error });
  }
}
