/** What a policy file may say. Paths are relative to it. */
import { z } from "zod";
import { hostPath, sha256Text } from "../base/schema.ts";

const certificates = () => z.array(hostPath());
const version = () => z.string().regex(/^[A-Za-z0-9.+~:-]+$/, 'expected a version in quotes, such as "1.2"');

export const policySchema = z.strictObject({
  trust: certificates().min(1).describe("Certificates (PEM or DER): each EFI program must be signed by one of them."),
  signers: certificates().default([]).describe("Certificates: each EFI program must be signed by all of them."),
  revoke: z
    .array(z.union([sha256Text(), hostPath()]))
    .default([])
    .describe("Authenticode digests of programs, and certificates: none of them may be on the image."),
  minimum: z
    .strictObject({
      version: version().optional().describe("Oldest VERSION_ID of a UKI's os-release."),
      kernel: version().optional().describe("Oldest release of a UKI's kernel."),
    })
    .prefault({}),
  require: z
    .strictObject({
      signatures: z.boolean().default(true).describe("Each EFI program must be signed."),
      partitionTable: z.boolean().default(true).describe("Both copies of the partition table are whole and agree."),
      verity: z
        .enum(["none", "demanded", "always"])
        .default("demanded")
        .describe(
          '"demanded": what a UKI opens by a root hash must be just that; "always": each UKI must open its root so.',
        ),
      onlySigned: z
        .boolean()
        .default(false)
        .describe("No kernel, initramfs or loader entry may lie beside the signed programs."),
    })
    .prefault({}),
});
