/** `machine`, `machines`: virtual machines to boot images in. */
import { z } from "zod";
import { hostPath, nameText, sizeText } from "../base/schema.ts";
import { parseSize, SIZE_PATTERN } from "../base/size.ts";

const disk = z.union([
  sizeText().transform((text) => ({ size: parseSize(text), path: undefined })),
  hostPath()
    .refine((text) => !SIZE_PATTERN.test(text))
    .transform((path) => ({ size: undefined, path })),
]);

const PORT = /^(\d{1,5}):(\d{1,5})$/;

const port = z
  .string()
  .regex(PORT, 'expected "HOST:GUEST" port numbers, such as "2222:22"')
  .refine(
    (text) =>
      PORT.exec(text)
        ?.slice(1)
        .every((part) => Number(part) >= 1 && Number(part) <= 65535) ?? true,
    "expected port numbers from 1 to 65535",
  )
  .transform((text) => {
    const [, host, guest] = PORT.exec(text)!;
    return { host: Number(host), guest: Number(guest) };
  });

const pattern = z.string().refine(isPattern, "expected a regular expression");

export const machineSchema = z.strictObject({
  image: nameText().optional().describe("Image to boot. Default: the only one that boots."),
  memory: sizeText().prefault("512MiB").transform(parseSize).describe("Memory."),
  cpus: z.int().min(1).max(512).default(1).describe("Number of processors."),
  disks: z.array(disk).default([]).describe("Disks: a size makes an empty one, a path uses that file."),
  network: z.enum(["none", "user"]).default("none").describe('"user": out through the host, in through `ports`.'),
  ports: z.array(port).default([]).describe('Forwarded ports, "HOST:GUEST".'),
  firmware: z
    .enum(["uefi", "direct", "microvm"])
    .optional()
    .describe("How it starts. Default: what the image's kind asks for."),
  bus: z
    .enum(["virtio", "usb"])
    .optional()
    .describe(
      'How the image is attached: "virtio", a disk; "usb", a stick. Firmware uefi only. Default: virtio, an ISO in an optical drive.',
    ),
  secureBoot: z
    .boolean()
    .default(false)
    .describe("Start with Secure Boot on and the project's keys enrolled; firmware uefi only."),
  ready: pattern.optional().describe("Regular expression of the console line that means: up."),
  args: z.array(z.string()).default([]).describe("Further arguments for the virtual machine monitor."),
});

export type MachineConfig = z.output<typeof machineSchema>;

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
