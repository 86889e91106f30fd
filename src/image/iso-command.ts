/**
 * How xorriso is asked for an image that boots from a CD and from a stick: an El Torito entry for UEFI that points at an EFI
 * system partition, which is also in a GUID partition table (El Torito 1.0 §3; UEFI 2.10 §13.3.2.1).
 */

export interface IsoOptions {
  /** Volume label, at most 32 of A-Z, 0-9 and _. */
  readonly label: string;
  /** Files of the ISO file system: their path, and the name under inputs/. */
  readonly files: readonly { readonly path: string; readonly input: string }[];
  /** Seconds since the epoch, for every date in the image. */
  readonly epoch: number;
}

/** The program finds the ESP as inputs/esp and leaves outputs/image. */
export function isoCommand({ label, files, epoch }: IsoOptions): {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
} {
  return {
    argv: [
      ...["xorriso", "-as", "mkisofs", "-quiet"],
      ...["-o", "outputs/image"],
      ...["-V", label],
      ...["-iso-level", "3"], // Files of 4 GiB and more, in several extents.
      ...["-r", "-J", "-joliet-long"], // Long names, for Linux and for others.
      ...["--set_all_file_dates", `=${epoch}`], // The inputs are copies: their times are the build's.
      ...["-partition_offset", "16"], // Leaves room for the table, and makes partition 1 mountable.
      ...["-append_partition", "2", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "inputs/esp"],
      "-appended_part_as_gpt",
      ...["-e", "--interval:appended_partition_2:all::", "-no-emul-boot"],
      "-graft-points",
      ...files.map(({ path, input }) => `/${path}=inputs/${input}`),
    ],
    // Volume dates and the table's identifiers come from it.
    env: { SOURCE_DATE_EPOCH: String(epoch) },
  };
}
