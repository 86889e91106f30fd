/** `publish`, for images: where they go, and under which names. */
import { z } from "zod";
import { nameText } from "../base/schema.ts";
import { templateMistake } from "./template.ts";

const template = () =>
  z.string().superRefine((text, ctx) => {
    const mistake = templateMistake(text);
    if (mistake !== undefined) ctx.addIssue({ code: "custom", message: mistake });
  });

export { missingWord, type TemplateValues } from "./template.ts";

export const VIEWS = ["SHA256SUMS", "index.html", "kernels.txt", "kernels.json"] as const;

export const imagePublicationSchema = z.strictObject({
  image: nameText().describe(
    "Image of this project to publish: one that is a file, or a container image (kind oci). That goes to a registry as itself, elsewhere as one file, an archive of its layout.",
  ),
  to: z
    .string()
    .regex(
      /^(oci:\/\/[^\s/]+\/\S+|s3:\/\/[a-z0-9][^\s/]*(\/\S*)?|file:\/\/\/\S+|github:[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+|\.{0,2}\/.*)$/,
      'expected "oci://HOST/NAME", "s3://BUCKET/PREFIX", "github:OWNER/REPOSITORY", or a directory: "./DIR" or "file:///DIR"',
    )
    .describe(
      'Where to: "oci://HOST/NAME", "s3://BUCKET/PREFIX", "github:OWNER/REPOSITORY", "./DIR" or "file:///DIR".',
    ),
  name: template()
    .optional()
    .describe(
      'The file\'s name; it means the same bytes for ever. Words: {name} (of the project), {image}, {version}, {arch}, {kernel.release}, {key} and {sha256} (of the content). Default: "{name}-{image}-{version}-{arch}" with the image\'s ending (of a container image ".oci.tar", and {arch} "multi" when it is of several), {key} in place of a version that the project lacks.',
    ),
  immutable: z
    .array(template())
    .optional()
    .describe(
      'Tags that mean the same bytes for ever: in a registry by default "v{version}" and "sha256-{sha256}"; of a GitHub release its one tag, by default "v{version}".',
    ),
  moving: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'expected a name such as "latest"'))
    .default(["latest"])
    .describe("Names that move to what is published last. In a directory or a bucket: the file PUBLICATION-NAME."),
  index: z
    .array(z.enum(VIEWS))
    .optional()
    .describe('Lists beside the files, in a directory or a bucket. Default: "SHA256SUMS" and "index.html".'),
  keep: z
    .int()
    .min(1)
    .default(10)
    .describe("How many of this publication are kept; what an environment points at is kept as well."),
  sign: nameText().optional().describe("Key of `keys` (ed25519) that signs SHA256SUMS."),
  attest: z
    .strictObject({
      key: nameText().describe('Key of `keys` that signs, best of type "p256".'),
      builder: z
        .string()
        .regex(/^[a-z][a-z0-9+.-]*:\S+$/i, 'expected a URI, such as "https://ci.example.org/release"')
        .optional()
        .describe("Who builds, for the statement."),
    })
    .optional()
    .describe(
      "States how each file was made, with bills of materials, and signs: in a registry as cosign does, elsewhere as files beside it, in a GitHub release as assets.",
    ),
});

export type ImagePublication = z.output<typeof imagePublicationSchema>;
