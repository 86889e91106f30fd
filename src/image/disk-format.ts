/** How qemu-img is asked for a disk in a hypervisor's own format. */

export type ConvertedFormat = "qcow2" | "vhd" | "vmdk";

const OPTIONS: Readonly<Record<ConvertedFormat, readonly string[]>> = {
  qcow2: ["-O", "qcow2", "-o", "compat=1.1,lazy_refcounts=off"],
  // Its own way to round a size up to cylinders would leave the second partition table in the middle.
  vhd: ["-O", "vpc", "-o", "subformat=dynamic,force_size=on"],
  vmdk: ["-O", "vmdk", "-o", "subformat=monolithicSparse"],
};

/** The program finds the raw disk as inputs/disk and leaves outputs/image. One coroutine: clusters lie in order. */
export const convertCommand = (format: ConvertedFormat): readonly string[] => [
  ...["qemu-img", "convert", "-m", "1", "-f", "raw"],
  ...OPTIONS[format],
  ...["inputs/disk", "outputs/image"],
];
