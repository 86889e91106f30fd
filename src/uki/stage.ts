/** The stage that puts kernel, initrd and command line into one EFI file. */

import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import type { UkiContent } from "./uki.ts";

export interface UkiStageOptions {
  readonly name: string;
  readonly stub: BlobInput;
  readonly kernel: BlobInput;
  readonly initrd?: BlobInput | undefined;
  /** The kernel's release, for `.uname`. */
  readonly release?: BlobInput | undefined;
  readonly cmdline: string;
  /** In place of `cmdline`, where only another stage knows it. */
  readonly cmdlineFile?: BlobInput | undefined;
  /** Text of os-release(5), unless `osReleaseFile` is given. */
  readonly osRelease: string;
  readonly osReleaseFile?: BlobInput | undefined;
  readonly splash?: BlobInput | undefined;
  readonly dtb?: BlobInput | undefined;
  readonly sbat?: BlobInput | undefined;
  /** The public key of the policies in `.pcrsig`: PEM. */
  readonly pcrKey?: BlobInput | undefined;
  readonly microcode?: BlobInput | undefined;
}

type UkiInputs = {
  [K in
    | "stub"
    | "kernel"
    | "initrd"
    | "release"
    | "cmdlineFile"
    | "osReleaseFile"
    | "splash"
    | "dtb"
    | "sbat"
    | "pcrKey"
    | "microcode"]: BlobInput | undefined;
};

export function ukiStage(options: UkiStageOptions): Stage<UkiInputs, { image: BlobArtifact }> {
  const {
    name,
    cmdline,
    cmdlineFile,
    osRelease,
    stub,
    kernel,
    initrd,
    release,
    osReleaseFile,
    splash,
    dtb,
    sbat,
    pcrKey,
    microcode,
  } = options;
  return defineStage({
    name,
    kind: "uki",
    version: 1,
    inputs: { stub, kernel, initrd, release, cmdlineFile, osReleaseFile, splash, dtb, sbat, pcrKey, microcode },
    params: { ...(cmdlineFile === undefined && { cmdline }), ...(osReleaseFile === undefined ? { osRelease } : {}) },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      const { assembleUki } = await import("./uki.ts");
      const { blobs } = store;
      // One for all: each section is written before the next is read.
      const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
      const content = (blob: BlobArtifact | undefined): UkiContent | undefined =>
        blob === undefined ? undefined : { size: blob.size, read: () => blobs.read(blob, { buffer }) };
      const bytes = (blob: BlobArtifact | undefined): Uint8Array | undefined =>
        blob === undefined ? undefined : blobs.readAll(blob);
      using stubSource = openBlobSource(blobs, inputs.stub!);
      using linux = openBlobSource(blobs, inputs.kernel!);
      const sections = {
        ".osrel": bytes(inputs.osReleaseFile) ?? osRelease,
        ".cmdline": bytes(inputs.cmdlineFile) ?? cmdline,
        ".uname": bytes(inputs.release),
        ".dtb": content(inputs.dtb),
        ".splash": content(inputs.splash),
        ".pcrpkey": content(inputs.pcrKey),
        ".ucode": content(inputs.microcode),
        ".initrd": content(inputs.initrd),
        ".sbat": bytes(inputs.sbat),
      };
      const given = Object.fromEntries(
        Object.entries(sections).filter(([, value]) => value !== undefined && value !== ""),
      );
      const uki = assembleUki({ stub: stubSource, linux, sections: given });
      return { image: blobArtifact(blobs.putSync(uki.chunks())) };
    },
  });
}
