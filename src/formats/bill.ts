/** What an artifact consists of, before it is written in one of the forms that the field reads: spdx.ts, cyclonedx.ts. */
export interface Bill {
  /** The artifact's file name. */
  readonly name: string;
  readonly version: string | undefined;
  /** SHA-256; undefined of a directory. */
  readonly sha256: string | undefined;
  /** Of which the document's own number is made. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly created: number;
  /** Bootwright's version. */
  readonly toolVersion: string;
  /** Sorted by address. */
  readonly packages: readonly BillPackage[];
  readonly kernels: readonly BillKernel[];
  /** Sorted by path. */
  readonly files: readonly BillFile[];
  /** Files that are in the artifact and not in the bill. */
  readonly leftOut: number;
}

export interface BillPackage {
  readonly name: string;
  readonly version: string;
  /** A package URL. */
  readonly url: string;
  /** SHA-256 of the package's file, where it is known. */
  readonly sha256?: string;
}

export interface BillKernel {
  /** As `uname -r` has it. */
  readonly release: string;
  /** SHA-256 of its configuration; undefined where that is not known. */
  readonly config: string | undefined;
}

export interface BillFile {
  readonly path: string;
  readonly sha256: string;
  readonly sha1: string;
}

/** RFC 3339, in seconds. */
export const billTime = ({ created }: Bill): string => `${new Date(created * 1000).toISOString().slice(0, 19)}Z`;

export const kernelUrl = ({ release }: BillKernel): string => `pkg:generic/linux@${encodeURIComponent(release)}`;

export const leftOutText = ({ leftOut }: Bill): string => `${leftOut} further files are in it and not listed here`;
