/**
 * The one schema of the config, composed from the domains' slices. It describes the plural form; `normalize.ts` turns
 * the singular forms (`kernel:`, a lone `initramfs:`) into it first. Its output is the resolved form: defaults filled
 * in, sizes in bytes, modes as numbers.
 */
import { z } from "zod";
import { DEFAULT_EPOCH } from "../base/clock.ts";
import { hostPath, namedMap, nameText } from "../base/schema.ts";
import { catalogSchema, publicationSchema } from "../catalog/schema.ts";
import { imageSchema } from "../image/schema.ts";
import { initramfsShape } from "../initramfs/schema.ts";
import { kernelSchema } from "../kernel/schema.ts";
import { imagePublicationSchema } from "../publish/schema.ts";
import { environmentSchema, platformSchema } from "../release/schema.ts";
import { bucketSchema } from "../s3/schema.ts";
import { keySchema, secureBootSchema } from "../sign/schema.ts";
import { sourcesSchema } from "../source/schema.ts";
import { treeContentShape, treeSchema } from "../tree/schema.ts";
import { updateSchema } from "../update/schema.ts";
import { machineSchema } from "../vm/schema.ts";

export const initramfsSchema = z.strictObject({ ...initramfsShape, ...treeContentShape });

/** Checked by applying each to the project (`load.ts`): a profile alone is only a part. */
const profilesSchema = z
  .record(nameText(), z.record(z.string(), z.unknown()))
  .default({})
  .describe(
    "Overrides, chosen by `--profile NAME`. Maps merge, lists are replaced unless written as {append: […]}, null removes.",
  );

const common = {
  name: nameText().describe("The project's name."),
  version: z.string().min(1).max(128).optional().describe("One version for everything that the project ships."),
  seed: z
    .string()
    .min(1)
    .optional()
    .describe("Text from which identifiers (volume numbers) are derived. Default: the name."),
  epoch: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(DEFAULT_EPOCH)
    .describe("SOURCE_DATE_EPOCH: seconds that outputs carry where a format demands a time."),
  arch: z.enum(["x86_64", "aarch64"]).default("x86_64").describe("Architecture of everything built."),
  sources: sourcesSchema.prefault({}).describe("Where outside bytes come from."),
  profiles: profilesSchema,
};

const plural = {
  kernels: namedMap(kernelSchema).default({}).describe("Kernels by name."),
  trees: namedMap(treeSchema).default({}).describe("File trees by name."),
  initramfs: namedMap(initramfsSchema).default({}).describe("Initramfs by name."),
  images: namedMap(imageSchema).default({}).describe("What is written, by name."),
  machines: namedMap(machineSchema).default({}).describe("Virtual machines by name."),
  keys: namedMap(keySchema).default({}).describe("Keys to sign with, by name."),
  signatures: hostPath()
    .default("./signatures")
    .describe("Directory of signatures that were made on another machine; `attach` puts them there."),
  secureBoot: secureBootSchema.optional().describe("What Secure Boot trusts: the contents of PK, KEK, db and dbx."),
  update: updateSchema.optional().describe("How machines with two slots take new releases."),
  buckets: namedMap(bucketSchema)
    .default({})
    .describe("Where the object stores are that `s3://NAME/…` means, by bucket."),
  catalogs: namedMap(catalogSchema).default({}).describe("Catalogs of kernels, by name."),
  publish: namedMap(z.union([publicationSchema, imagePublicationSchema]))
    .default({})
    .describe("What to publish, by name."),
  platform: platformSchema.optional().describe("Repositories that are released together, under one version."),
  environments: namedMap(environmentSchema)
    .default({})
    .describe("Where releases run, by name, in the order that `after` declares."),
};

export const projectSchema = z.strictObject({ ...common, ...plural });

/** What a person may write: for editors, types and the reference, not for checking. */
export const writtenSchema = z.strictObject({
  ...common,
  ...plural,
  initramfs: z
    .union([initramfsSchema, namedMap(initramfsSchema)])
    .optional()
    .describe("The initramfs, or several by name."),
  kernel: kernelSchema.optional().describe("The only kernel; short for `kernels: { default: … }`."),
  tree: treeSchema.optional().describe("The only tree; short for `trees: { default: … }`."),
  image: imageSchema.optional().describe("The only image; short for `images: { default: … }`."),
  machine: machineSchema.optional().describe("The only machine; short for `machines: { default: … }`."),
});

export type ProjectInput = z.input<typeof writtenSchema>;
export type ProjectOutput = z.output<typeof projectSchema>;
