/** `kernel`, `kernels`: what kernels there are, and where each comes from. */
import { z } from "zod";
import { hostPath } from "../base/schema.ts";

export const kernelSchema = z.discriminatedUnion("from", [
  z.strictObject({
    from: z.literal("debian"),
    package: z
      .string()
      .regex(/^[a-z0-9][a-z0-9+.-]+$/, "expected a Debian package name")
      .describe('Kernel package or meta package, such as "linux-image-cloud-amd64".'),
  }),
  z.strictObject({
    from: z.literal("file"),
    image: hostPath().describe("The kernel image: bzImage on x86_64, Image on aarch64."),
    config: hostPath().optional().describe("Its .config, where known."),
    modules: hostPath().optional().describe("Its module directory: the one that holds modules.dep or kernel/."),
  }),
]);

export type KernelConfig = z.output<typeof kernelSchema>;
