/** `catalogs`: signed lists of kernels, and who may sign them. */
import { z } from "zod";
import { hostPath, nameText } from "../base/schema.ts";

export const catalogSchema = z.strictObject({
  url: z
    .string()
    .min(1)
    .describe(
      "Where it lies: an address to read (http, https), or one that can also be published to: a directory, s3://BUCKET/PREFIX, oci://HOST/NAME.",
    ),
  keys: z.array(hostPath()).min(1).describe("minisign public keys, as files; an index signed with any of them counts."),
  sign: nameText().optional().describe("Key of `keys` to publish with. Default: catalog."),
});

export type CatalogConfig = z.output<typeof catalogSchema>;

const TARGET = /^(catalog:[a-z0-9][a-z0-9._-]*)$/;

export const publicationSchema = z.strictObject({
  bundle: nameText().describe("Kernel of this project to publish as a bundle."),
  to: z.string().regex(TARGET, 'expected "catalog:NAME"').describe('Where to: "catalog:NAME".'),
  name: nameText().optional().describe("The bundle's name in the catalog. Default: the kernel's."),
  version: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/, "expected a version")
    .optional()
    .describe("Its version. Default: the kernel's release."),
});

export type PublicationConfig = z.output<typeof publicationSchema>;
