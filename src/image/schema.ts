/** `image`, `images`: what is written, by kind. */
import { z } from "zod";
import { hostPath, imagePath, nameText, sizeText } from "../base/schema.ts";
import { parseSize } from "../base/size.ts";
import { PARTITION_TYPE_NAMES } from "../formats/partition-types.ts";
import { addonSchema, cmdline, efiSchema, initramfs, kernel, ukiSchema } from "./efi-schema.ts";

const espContents = z
  .array(
    z.union([
      nameText(),
      z.strictObject({
        file: hostPath().describe("File on the host."),
        to: z.string().min(1).describe("Path on the ESP."),
      }),
      z.strictObject({
        source: nameText().describe("A name of `sources.files`."),
        to: z.string().min(1).describe("Path on the ESP."),
      }),
    ]),
  )
  .min(1);

const tries = z.int().min(1).max(99);

const menu = z
  .strictObject({
    default: nameText().optional().describe("Entry that is started by itself. Default: the first image."),
    timeout: z
      .int()
      .min(0)
      .max(600)
      .default(3)
      .describe("Seconds that the menu is shown; 0: only while a key is held down."),
    tries: z
      .union([tries, z.record(nameText(), tries)])
      .optional()
      .describe(
        "How often an entry is started without having been marked as good before the next one is: a number for the default entry, or numbers by entry.",
      ),
  })
  .optional()
  .describe("systemd-boot as the boot file, and the images, all of kind uki, as its entries under EFI/Linux.");

const esp = z.strictObject({
  kind: z.literal("esp"),
  contains: espContents.describe("Images by name (the first becomes the default boot file), and further files."),
  menu,
  format: z.enum(["image", "directory"]).default("image").describe("A FAT file system image, or a directory."),
  size: sizeText()
    .transform(parseSize)
    .optional()
    .describe('Size of the image, such as "64MiB". Default: what it needs.'),
  label: z
    .string()
    .regex(/^[A-Z0-9_ -]{1,11}$/, "expected a FAT label: at most 11 of A-Z, 0-9, _, - and space")
    .default("ESP")
    .describe("Volume label."),
});

const volumeLabel = z.string().regex(/^[A-Za-z0-9_-]{0,16}$/, "expected at most 16 letters, digits, _ and -");

const partitionSize = (content: string) =>
  z
    .union([z.literal("rest"), sizeText().transform(parseSize)])
    .optional()
    .describe(`Its size, or "rest" for what the disk has left. Default: ${content}`);

const partitionLabel = (label: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,16}$/, "expected at most 16 letters, digits, _ and -")
    .default(label)
    .describe("Label of the file system and name of the partition, for `root=LABEL=` and `root=PARTLABEL=`.");

const UUID = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

const partition = z.strictObject({
  type: z
    .union([
      z.enum(PARTITION_TYPE_NAMES),
      z
        .string()
        .regex(UUID, "expected a type's name, or its GUID")
        .transform((text) => text.toLowerCase()),
    ])
    .default("linux")
    .describe("What it is for: a type of the Discoverable Partitions Specification, or a GUID."),
  image: nameText()
    .optional()
    .describe("Image whose bytes it holds: a SquashFS, an EROFS, any single file. Default: it is empty."),
  size: partitionSize("what the image needs."),
});

const disk = z.strictObject({
  kind: z.literal("disk"),
  esp: espContents.describe(
    "What is on the EFI system partition: images by name, of which firmware starts the first, and further files.",
  ),
  menu,
  espSize: sizeText()
    .prefault("1GiB")
    .transform(parseSize)
    .describe(
      "Size of the EFI system partition. The default leaves room for several kernels and an update beside them.",
    ),
  tree: nameText().optional().describe("Tree that becomes the root partition. Default: there is none."),
  root: z
    .strictObject({
      fs: z
        .enum(["ext4", "erofs", "squashfs"])
        .default("ext4")
        .describe('File system: "erofs" and "squashfs" are read-only; "squashfs" is compressed.'),
      size: partitionSize("what its files need, and for ext4 a quarter more."),
      label: partitionLabel("root"),
    })
    .prefault({})
    .describe("The root partition, when there is a `tree`."),
  layout: z
    .enum(["ab", "usb"])
    .optional()
    .describe(
      '"ab": two EFI system partitions (esp-a, esp-b) and two of each slot, of which the second is empty until an update fills it; "usb": only the first of each.',
    ),
  slots: z
    .union([
      z.array(nameText()).transform((names) => Object.fromEntries(names.map((name) => [name, { size: undefined }]))),
      z.record(
        nameText(),
        z.strictObject({
          size: sizeText()
            .transform(parseSize)
            .optional()
            .describe("Size of each of its partitions. Default: what the image needs, and a half more."),
        }),
      ),
    ])
    .default({})
    .describe("Images that an update replaces, by name; their partitions are called NAME-a and NAME-b."),
  partitions: z
    .record(z.string().regex(/^[\x20-\x7e]{1,36}$/, "expected a partition's name: at most 36 characters"), partition)
    .default({})
    .describe("Further partitions by name, in this order behind the root: a second slot, hashes for verity, anything."),
  data: z
    .strictObject({
      fs: z.enum(["ext4"]).default("ext4").describe("File system."),
      size: partitionSize("the least that the file system can have."),
      label: partitionLabel("data"),
    })
    .optional()
    .describe("An empty partition for data, behind all others."),
  format: z
    .enum(["raw", "qcow2", "vhd", "vmdk"])
    .default("raw")
    .describe('"raw" is for drives and sticks; the others are for QEMU, Hyper-V and VMware.'),
  size: sizeText()
    .transform(parseSize)
    .optional()
    .describe("Size of the whole disk. Default: what the partitions need."),
  sectorSize: z
    .union([z.literal(512), z.literal(4096)])
    .default(512)
    .describe("Logical sector size of the disk that it is written to: 512, or 4096 for 4Kn drives."),
});

const update = z.strictObject({
  kind: z.literal("update"),
  disk: nameText().describe("Disk with slots whose contents the update brings."),
});

const tar = z.strictObject({
  kind: z.literal("tar"),
  tree: nameText().describe("Tree to pack."),
  compress: z.enum(["zstd", "gzip", "none"]).default("zstd").describe("Compression."),
});

const verity = z
  .union([z.boolean(), z.literal("apart")])
  .default(false)
  .describe(
    'A dm-verity hash tree, behind the file system or "apart", as an image of kind "verity-tree": whoever has the root hash notices any changed bit.',
  );

const squashfs = z.strictObject({
  kind: z.literal("squashfs"),
  tree: nameText().describe("Tree to pack."),
  compress: z.enum(["zstd", "gzip", "xz", "lz4"]).default("zstd").describe("Compression; the kernel needs the same."),
  verity,
});

const erofs = z.strictObject({
  kind: z.literal("erofs"),
  tree: nameText().describe("Tree to write."),
  verity,
  label: volumeLabel.default("").describe("Label of the file system. Default: none."),
});

const ext4 = z.strictObject({
  kind: z.literal("ext4"),
  tree: nameText().describe("Tree to write."),
  verity,
  size: sizeText()
    .transform(parseSize)
    .optional()
    .describe(
      "Size of the file system. Default: what its files need, and a quarter more unless `verity` makes it read-only.",
    ),
  label: volumeLabel.default("").describe("Label of the file system. Default: none."),
});

const words = z.array(z.string().regex(/^[^\0]*$/, "a word cannot hold a NUL character")).min(1);

const oci = z.strictObject({
  kind: z.literal("oci"),
  tree: z
    .union([
      nameText(),
      z
        .strictObject({ x86_64: nameText().optional(), aarch64: nameText().optional() })
        .refine(
          (trees) => Object.values(trees).some((tree) => tree !== undefined),
          "expected at least one architecture",
        ),
    ])
    .describe(
      "Tree that becomes the image's one layer; or trees by architecture, of which each becomes an image of its own in one index.",
    ),
  tag: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, "expected a tag: letters, digits, _, . and -, at most 128")
    .default("latest")
    .describe("The image's name in the layout that is built."),
  config: z
    .strictObject({
      entrypoint: words.optional().describe("Program and arguments that a container starts; `cmd` follows them."),
      cmd: words.optional().describe("Arguments that whoever starts the container may replace."),
      env: z
        .record(z.string().regex(/^[^=\0]+$/, "expected a variable's name"), z.string())
        .default({})
        .describe("Environment variables by name."),
      user: z.string().min(1).optional().describe('User, or "user:group"; names or numbers. Default: root.'),
      workdir: imagePath().optional().describe("Working directory."),
      labels: z.record(z.string().min(1), z.string()).default({}).describe("Labels by name."),
    })
    .prefault({})
    .describe("What a container of the image starts."),
});

const iso = z.strictObject({
  kind: z.literal("iso"),
  boot: nameText().describe("Image that firmware starts: of kind uki or efi, or a file that is an EFI program."),
  payload: z
    .array(nameText())
    .default([])
    .describe("Images to carry along, by name; each lies at /payload/ under its file name."),
  label: z
    .string()
    .regex(/^[A-Z0-9_]{1,32}$/, "expected a volume label: at most 32 of A-Z, 0-9 and _")
    .default("BOOTWRIGHT")
    .describe("Volume label."),
});

const microvm = z.strictObject({
  kind: z.literal("microvm"),
  kernel,
  initramfs,
  cmdline: cmdline.describe("Kernel command line. Without a `root=` the root disk is named on it."),
  tree: nameText().describe("Tree that becomes the root disk."),
  root: z
    .strictObject({
      fs: z.enum(["ext4", "erofs", "squashfs"]).default("ext4").describe("File system; all but ext4 are read-only."),
      size: sizeText()
        .transform(parseSize)
        .optional()
        .describe("Size of an ext4. Default: what its files need, and a quarter more."),
      label: partitionLabel("root").describe("Label of the file system."),
    })
    .refine(({ fs, size }) => fs === "ext4" || size === undefined, {
      path: ["size"],
      message: "a read-only file system is as large as its files",
    })
    .prefault({})
    .describe("The root disk: a file system without a partition table."),
  memory: sizeText().prefault("512MiB").transform(parseSize).describe("Memory that the machine is given."),
  cpus: z.int().min(1).max(32).default(1).describe("Number of processors."),
});

const pxe = z.strictObject({
  kind: z.literal("pxe"),
  boot: nameText().describe("What is started: an image of kind uki, or of kind efi with everything in one file."),
});

const checksums = z.strictObject({
  kind: z.literal("sha256sums"),
  of: z.array(nameText()).min(1).optional().describe("Images by name. Default: all others."),
});

const veritySignature = z.strictObject({
  kind: z.literal("verity-signature"),
  of: nameText().describe("Image with `verity` whose root hash is signed."),
  sign: nameText().describe("Key of `keys` to sign with. Where its secret is not here, a signing request is made."),
  format: z
    .enum(["p7s", "json"])
    .default("p7s")
    .describe(
      '"p7s": what `veritysetup --root-hash-signature` takes; "json": the content of a partition of type "root-verity-sig".',
    ),
});

const verityTree = z.strictObject({
  kind: z.literal("verity-tree"),
  of: nameText().describe('Image with `verity: "apart"` whose hash tree it is.'),
});

const kernelImage = z.strictObject({
  kind: z.literal("kernel"),
  kernel,
  initramfs,
  cmdline,
  with: z
    .array(z.enum(["System.map", "config", "modules", "vmlinux"]))
    .default([])
    .describe("What else of the kernel to put beside it; vmlinux, the ELF file, only of one from source."),
});

const file = z
  .strictObject({
    kind: z.literal("file"),
    file: hostPath().optional().describe("File on the host."),
    source: nameText().optional().describe("A name of `sources.files`."),
  })
  .refine(({ file, source }) => (file === undefined) !== (source === undefined), "expected either `file` or `source`");

const cpio = z.strictObject({ kind: z.literal("cpio"), initramfs });

const budget = sizeText()
  .transform(parseSize)
  .optional()
  .describe(
    "What it may take when it is done: a build past that fails, and lists what takes the most. Of a raw disk, empty space does not count.",
  );

/** With what every kind has. `never`: the type cannot know that no kind has a budget of its own. */
const image = <S extends z.core.$ZodShape>(schema: z.ZodObject<S, z.core.$strict>, description: string) =>
  schema.safeExtend<{ budget: typeof budget }>({ budget } as never).describe(description);

export const imageSchema = z.discriminatedUnion("kind", [
  image(ukiSchema, "One EFI file on systemd's stub: kernel, initramfs and command line."),
  image(
    addonSchema,
    "A further command line for a UKI, signed apart from it: what differs between machines that start the same UKI.",
  ),
  image(efiSchema, "The default boot file of a machine: BOOTX64.EFI or BOOTAA64.EFI."),
  image(esp, "An EFI system partition."),
  image(disk, "A whole disk: GUID partition table and EFI system partition. Also a USB stick."),
  image(
    update,
    "A directory with the images of a release and their signed manifest: what machines with two slots take.",
  ),
  image(tar, "A tree as a tar archive."),
  image(squashfs, "A tree as a read-only, compressed file system."),
  image(erofs, "A tree as a read-only file system, not compressed: quick to make and to read."),
  image(ext4, "A tree as a file system that can be written, unless `verity` makes it read-only."),
  image(oci, "A tree as a container image: an OCI image layout, as a directory."),
  image(iso, "An ISO image that boots by UEFI, from a CD and from a stick."),
  image(
    microvm,
    "A directory that QEMU's microvm, Firecracker and cloud-hypervisor run: kernel, root disk, their configurations.",
  ),
  image(pxe, "A directory to boot from over the network, as the root of a TFTP or HTTP server."),
  image(checksums, "SHA256SUMS: the digests of images, for `sha256sum -c`."),
  image(veritySignature, "The signature of a verified image's root hash: detached PKCS #7, DER."),
  image(verityTree, "The hash tree of a verified image, for a partition of its own."),
  image(kernelImage, "A directory for direct boot: kernel, initrd, cmdline."),
  image(cpio, "The initramfs file itself."),
  image(
    file,
    "A file that is there already, as it is: of the host, from an address, or of another project's release. For ISOs, partitions and EFI system partitions.",
  ),
]);

export type ImageConfig = z.output<typeof imageSchema>;
export type ImageKind = ImageConfig["kind"];
