/** What a policy file may say. Paths are relative to it. */
import { z } from "zod";
import { hostPath, namedMap, recordKeys, sha256Text } from "../base/schema.ts";

const certificates = () => z.array(hostPath());
const version = () => z.string().regex(/^[A-Za-z0-9.+~:-]+$/, 'expected a version in quotes, such as "1.2"');

const provenance = z.strictObject({
  keys: z
    .array(hostPath())
    .min(1)
    .describe("Public keys or certificates (PEM): one of them must have signed what is said of the artifact."),
  builder: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .transform((one) => [one].flat())
    .optional()
    .describe("Who may have built it: URIs. Default: whoever the keys vouch for."),
  sources: z
    .array(z.string().min(1))
    .optional()
    .describe('What it may be made from: addresses such as "pkg:deb/debian/*", "*" for any text. Default: anything.'),
  config: z
    .array(sha256Text())
    .min(1)
    .optional()
    .describe("SHA-256 of the files that its config may consist of. Default: any config."),
  statement: z.boolean().default(true).describe("It must come with a signed statement of how it was made."),
  signature: z.boolean().default(false).describe("The artifact itself must be signed by one of the keys."),
});

const environment = z.strictObject({
  keys: recordKeys()
    .min(1)
    .describe(
      "minisign public keys: one of them must have signed each entry of the record. A key that was replaced: { key, until }.",
    ),
  approvals: z.int().min(0).max(16).default(0).describe("How many of `approvers` must have approved what runs there."),
  approvers: namedMap(hostPath())
    .default({})
    .describe("Whose approvals count: minisign public keys, by the name that the record has."),
  commit: z
    .boolean()
    .default(true)
    .describe("Each artifact must be made from the commit that the release has of its repository."),
  pinned: z.boolean().default(true).describe("Each source of each artifact must be named by a digest."),
  bill: z.boolean().default(true).describe("Each artifact must come with a bill of materials."),
});

export const policySchema = z
  .strictObject({
    environment: environment
      .optional()
      .describe(
        "What must hold of what runs in an environment (`verify env:NAME`), beside `provenance` of each artifact.",
      ),
    provenance: provenance
      .optional()
      .describe("What must hold of who made an artifact, from what; without `trust` nothing else is looked at."),
    trust: certificates()
      .min(1)
      .optional()
      .describe("Certificates (PEM or DER): each EFI program must be signed by one of them."),
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
  })
  .refine(({ trust, provenance }) => trust !== undefined || provenance !== undefined, {
    path: ["trust"],
    message: "a policy needs `trust` (for what firmware starts) or `provenance` (for any artifact)",
  })
  .refine(({ environment, provenance }) => environment === undefined || provenance !== undefined, {
    path: ["environment"],
    message: "`environment` needs `provenance`: whose statements about artifacts count",
  });
