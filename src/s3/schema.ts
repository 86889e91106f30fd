/** `buckets`: where the object stores are that `s3://NAME/…` means. */
import { z } from "zod";
import { hostPath } from "../base/schema.ts";

export const bucketSchema = z.strictObject({
  endpoint: z
    .string()
    .regex(/^https?:\/\/[^/?#@]+\/?$/, "expected http(s)://HOST[:PORT]")
    .optional()
    .describe(
      "Address of the store, as https://HOST. Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the AWS profile's, else Amazon's.",
    ),
  region: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, "expected a region's name")
    .optional()
    .describe("Default: AWS_REGION, the AWS profile's, else us-east-1, which other stores than Amazon's take."),
  addressing: z
    .enum(["path", "virtual"])
    .optional()
    .describe("Whether a bucket is in an address's path or in its host name. Default: path, and virtual at Amazon."),
  ca: hostPath().optional().describe("Certificate (PEM) of an authority that signs the store's, as a file."),
});

export type BucketConfig = z.output<typeof bucketSchema>;
