/** `s3://BUCKET/PREFIX`: a place in an object store. */
import { BootwrightError } from "../base/errors.ts";
import { BUCKET_NAME } from "./bucket-name.ts";

export interface S3Address {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
}

/** Throws CONFIG_INVALID. */
export function parseS3Address(url: string): S3Address {
  const [, bucket = "", prefix = ""] = /^s3:\/\/([^/]*)\/*(.*?)\/*$/.exec(url) ?? [];
  if (!BUCKET_NAME.test(bucket) || prefix.split("/").some((part) => part === "." || part === ".."))
    throw new BootwrightError("CONFIG_INVALID", `${url} names no place in an object store`, {
      hint: "write s3://BUCKET/PREFIX; a bucket's name has 3 to 63 small letters, digits, dots and hyphens",
    });
  return { bucket, prefix };
}
