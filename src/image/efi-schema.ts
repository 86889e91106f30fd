/** Images of `images` that firmware, or systemd's stub, loads: programs and what is added to them. */
import { z } from "zod";
import { hostPath, nameText } from "../base/schema.ts";

export const kernel = nameText().optional().describe("Kernel by name. Default: the only one.");
export const initramfs = nameText().optional().describe('Initramfs by name, or "none". Default: the only one.');
export const cmdline = z
  .string()
  .regex(/^[^\0\n]*$/, "expected one line")
  .default("")
  .describe("Kernel command line.");

const PLACEHOLDERS = ["name", "version", "arch", "key", "kernel.release"];

const fileName = z
  .string()
  .regex(/^[A-Za-z0-9_+{][A-Za-z0-9._+{}-]*$/, "expected a file name: letters, digits, ., _, + and -")
  .superRefine((text, ctx) => {
    const parts = [...text.matchAll(/\{([^{}]*)\}/g)].map(([, word]) => word!);
    const unknown = parts.find((word) => !PLACEHOLDERS.includes(word));
    const known = PLACEHOLDERS.map((word) => `{${word}}`).join(", ");
    if (unknown !== undefined) ctx.addIssue({ code: "custom", message: `{${unknown}} is none of ${known}` });
    else if (/[{}]/.test(text.replaceAll(/\{[^{}]*\}/g, "")))
      ctx.addIssue({ code: "custom", message: `a brace is only for ${known}` });
  })
  .optional()
  .describe(
    'File name under out/, such as "vmlinuz-{kernel.release}-{key}.efi"; {key} is short for all that the image is made of. Also {name}, {version}, {arch}.',
  );

const sign = nameText()
  .optional()
  .describe("Key of `keys` to sign with for Secure Boot. Where its secret is not here, a signing request is made.");

const stub = z
  .union([
    hostPath(),
    z.strictObject({
      suite: z.string().min(1).describe('Debian release that the stub comes from, such as "trixie".'),
    }),
  ])
  .optional()
  .describe(
    "EFI stub: a file on the host, or the release of Debian whose package systemd-boot-efi it is taken from. Default: that of `sources.debian`.",
  );

export const ukiSchema = z.strictObject({
  kind: z.literal("uki"),
  sign,
  name: fileName,
  kernel,
  initramfs,
  cmdline,
  verity: z
    .strictObject({
      image: nameText().describe("Image with `verity` that is the root."),
      device: z
        .string()
        .regex(/^(PARTLABEL|PARTUUID)=\S+$|^\/dev\/\S+$/, 'expected a device such as "PARTLABEL=root"')
        .describe("Where it lies at boot."),
      hashes: z
        .string()
        .regex(/^(PARTLABEL|PARTUUID)=\S+$|^\/dev\/\S+$/, 'expected a device such as "PARTLABEL=root-verity"')
        .optional()
        .describe(
          'Where its hash tree lies, when that is "apart". Default: PARTLABEL= and the image\'s name with -verity.',
        ),
    })
    .optional()
    .describe(
      "The kernel itself opens this root by its hash, with no initramfs (it needs DM_INIT, DM_VERITY and the file system built in).",
    ),
  pcr: z
    .strictObject({ sign: nameText().describe("Key of `keys`, RSA, that signs the policies. Best one of its own.") })
    .optional()
    .describe(
      "Signed TPM policies for what this image will measure into PCR 11: secrets that are bound to the key open for every image that it has signed, and no other.",
    ),
  splash: hostPath().optional().describe("BMP picture for the boot screen."),
  dtb: hostPath().optional().describe("Device tree blob."),
  microcode: z
    .union([hostPath().transform((path) => [path]), z.array(hostPath())])
    .default([])
    .describe(
      "Processor microcode as the .ucode section, for stubs of systemd 256 and later. Otherwise: `initramfs.microcode`.",
    ),
  title: z
    .string()
    .regex(/^[^\0-\x1f"\\$`]{1,64}$/, "expected one line of at most 64 characters, without quotes")
    .optional()
    .describe("What a boot menu shows. Default: the project's name and version."),
  sortKey: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/, "expected lower-case letters, digits, ., _ and -")
    .optional()
    .describe("Orders entries of a boot menu, smallest first. Default: the image's name."),
  osRelease: hostPath().optional().describe("os-release file. Default: made from the project's name and version."),
  sbat: hostPath().optional().describe("SBAT file. Default: the stub's own."),
  stub,
});

export const addonSchema = z.strictObject({
  kind: z.literal("addon"),
  of: nameText().describe("Image of kind uki that it adds to; both lie on the same EFI system partition."),
  sign,
  cmdline: z
    .string()
    .regex(/^[^\0\n]+$/, "expected one line")
    .describe("What the kernel is told besides the UKI's own command line: it comes last."),
});

export const efiSchema = z.strictObject({
  kind: z.literal("efi"),
  sign,
  name: fileName,
  kernel,
  initramfs,
  cmdline,
  embed: z
    .enum(["uki", "kernel", "none"])
    .default("uki")
    .describe(
      '"uki": kernel, initramfs and command line in one EFI file, put together in a moment; "kernel": the same inside the kernel itself, which is linked anew (only `from: "source"`); "none": the kernel as it is, the initramfs beside it.',
    ),
});
