/** `kernel`, `kernels`: what kernels there are, and where each comes from. */
import { z } from "zod";
import { hostPath, nameText } from "../base/schema.ts";

export const kernelSchema = z.discriminatedUnion("from", [
  z.strictObject({
    from: z.literal("debian"),
    package: z
      .string()
      .regex(/^[a-z0-9][a-z0-9+.-]+$/, "expected a Debian package name")
      .describe('Kernel package or meta package, such as "linux-image-cloud-amd64".'),
  }),
  z.strictObject({
    from: z.literal("catalog"),
    catalog: nameText()
      .optional()
      .describe(
        'Catalog by name, or "local" for the bundles that were imported or pulled by hand. Default: the only one.',
      ),
    bundle: nameText().describe('Bundle by name, such as "generic-6.12".'),
    version: z.string().min(1).optional().describe("Its version. Default: the newest; the lock pins it."),
    requires: z
      .array(
        z.string().regex(/^(CONFIG_)?[A-Za-z0-9_]+(=\S+)?$/, 'expected an option such as "VIRTIO_BLK" or "EXT4_FS=y"'),
      )
      .default([])
      .describe("Options that its configuration must have; checked before anything is built from it."),
  }),
  z.strictObject({
    from: z.literal("file"),
    image: hostPath().describe("The kernel image: bzImage on x86_64, Image on aarch64."),
    config: hostPath().optional().describe("Its .config, where known."),
    modules: hostPath().optional().describe("Its module directory: the one that holds modules.dep or kernel/."),
  }),
]);

export type KernelConfig = z.output<typeof kernelSchema>;
