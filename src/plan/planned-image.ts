/** What planning says of an image: what to build, and the ways in which it can be booted. */
import type { ResolvedConfig } from "../config/resolved.ts";
import type { BlobInput, Input, OutputRef } from "../stage/stage.ts";
import type { BlobArtifact, ExtentsArtifact, TreeArtifact } from "../store/artifact.ts";

export type ImageSection<
  K extends ResolvedConfig["images"][string]["kind"] = ResolvedConfig["images"][string]["kind"],
> = Extract<ResolvedConfig["images"][string], { kind: K }>;

export type DiskFormat = ImageSection<"disk">["format"];

export interface PlannedImage {
  readonly name: string;
  readonly kind: ImageSection["kind"];
  readonly output: OutputRef;
  /** What it is for, where that is not the project's own: an architecture, or "multi" for an image of several. */
  readonly arch?: string;
  /** Its name under out/. */
  readonly fileName: string;
  /** Replaces `fileName` under out/, with its placeholders filled in. */
  readonly named?: { readonly template: string; readonly release: OutputRef<BlobArtifact> };
  /** Kernel, initrd and command line, where the image has them: for boot without firmware. */
  readonly direct?: { readonly kernel: BlobInput; readonly initrd: BlobInput | undefined; readonly cmdline: string };
  /** True when the guest itself says that it is ready: its initramfs has the agent. */
  readonly agent?: boolean;
  /** A CD image: it is put into an optical drive. */
  readonly optical?: boolean;
  /** Of the disk that the image is; default 512. */
  readonly sectorSize?: 512 | 4096;
  /** Of the disk that the image is; default raw. */
  readonly diskFormat?: DiskFormat;
  /** Disks that come with the image, for boot without firmware: the first is the guest's first. */
  readonly disks?: readonly OutputRef<BlobArtifact>[];
  /** What a microVM is given unless something else is asked for. Bytes. */
  readonly microvm?: { readonly memory: number; readonly cpus: number };
  /** A directory that firmware boots from by TFTP, and the file that it is told. */
  readonly network?: { readonly root: OutputRef<TreeArtifact>; readonly file: string };
  /** What opens its hash tree, where it has one: JSON, see image/verity-stage.ts. */
  readonly verity?: OutputRef<BlobArtifact>;
  /** Its hash tree, where that is apart. */
  readonly hashes?: OutputRef<BlobArtifact>;
  /** Its root hash: hex digits. */
  readonly rootHash?: OutputRef<BlobArtifact>;
  /** Of an add-on: the UKI that it lies beside. */
  readonly addonOf?: string;
  /** What lies in it and under which name, where the finished image does not show it to `inspect`. */
  readonly contents?: readonly { readonly name: string; readonly content: Input }[];
  /** A FAT image that firmware boots from; made only when it is booted that way. */
  readonly esp?: () => OutputRef<BlobArtifact | ExtentsArtifact>;
}
