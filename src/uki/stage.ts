/** The stage that puts kernel, initrd and command line into one EFI file. */

import type { FileContent } from "../formats/filetree.ts";
import type { AppendedPe } from "../formats/pe-writer.ts";
import { type BlobInput, defineStage, type Stage, type StageContext } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type ExtentsArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import { ExtentsWriter, LEAST_EXTENT } from "../store/extents-writer.ts";
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
  return defineStage<UkiInputs, { image: BlobArtifact }>({
    ...declared(options),
    kind: "uki",
    run: (ctx) => withUki(options, ctx, (uki) => ({ image: blobArtifact(ctx.store.blobs.putSync(uki.chunks())) })),
  });
}

/** As extents, for a stage that writes it anew: with a signature. */
export function ukiInPiecesStage(options: UkiStageOptions): Stage<UkiInputs, { image: ExtentsArtifact }> {
  return defineStage<UkiInputs, { image: ExtentsArtifact }>({
    ...declared(options),
    kind: "uki-in-pieces",
    run: (ctx) =>
      withUki(options, ctx, (uki) => {
        const image = new ExtentsWriter(ctx.store);
        image.add(uki.pieces(LEAST_EXTENT), 0);
        return { image: image.done(uki.size) };
      }),
  });
}

/** What both have. */
function declared(options: UkiStageOptions) {
  const { name, cmdline, cmdlineFile, osRelease, osReleaseFile } = options;
  const { stub, kernel, initrd, release, splash, dtb, sbat, pcrKey, microcode } = options;
  return {
    name,
    version: 1,
    inputs: { stub, kernel, initrd, release, cmdlineFile, osReleaseFile, splash, dtb, sbat, pcrKey, microcode },
    params: { ...(cmdlineFile === undefined && { cmdline }), ...(osReleaseFile === undefined ? { osRelease } : {}) },
    outputs: ["image"] as const,
  };
}

async function withUki<T>(
  { osRelease, cmdline }: UkiStageOptions,
  { inputs, store: { blobs } }: StageContext<UkiInputs>,
  use: (uki: AppendedPe) => T,
): Promise<T> {
  const { assembleUki } = await import("./uki.ts");
  // One for all: each section is written before the next is read.
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  const placed = ({ hash, size }: BlobArtifact): FileContent => ({ hash, size });
  const content = (blob: BlobArtifact | undefined): UkiContent | undefined =>
    blob === undefined
      ? undefined
      : { size: blob.size, read: () => blobs.read(blob, { buffer }), content: placed(blob) };
  const bytes = (blob: BlobArtifact | undefined): Uint8Array | undefined =>
    blob === undefined ? undefined : blobs.readAll(blob);
  using stub = openBlobSource(blobs, inputs.stub!);
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
  const given = Object.fromEntries(Object.entries(sections).filter(([, value]) => value !== undefined && value !== ""));
  return use(assembleUki({ stub, linux, linuxContent: placed(inputs.kernel!), sections: given }));
}
