/** A bucket by its name: what the config says of it, else the environment, else the AWS profile. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { readIfExists } from "../base/fs.ts";
import { Bucket } from "./bucket.ts";
import { loadCredentials } from "./credentials.ts";
import { type Environment, loadProfile } from "./profile.ts";
import type { BucketConfig } from "./schema.ts";

export interface OpenBucketOptions {
  readonly settings: BucketConfig | undefined;
  /** Where `settings.ca` is relative to. */
  readonly projectDir: string;
  readonly env: Environment;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** Nothing is asked yet. Throws PATH_MISSING for a certificate that is not there. */
export function openBucket(name: string, options: OpenBucketOptions): Bucket {
  const { settings = {}, projectDir, env, emit, signal } = options;
  const profile = loadProfile(env);
  const region = settings.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || profile.get("region") || "us-east-1";
  const said =
    settings.endpoint ||
    env.AWS_ENDPOINT_URL_S3 ||
    env.AWS_ENDPOINT_URL ||
    profile.get("s3.endpoint_url") ||
    profile.get("endpoint_url");
  const style = settings.addressing ?? profile.get("s3.addressing_style");
  // A dot in the name would not be covered by the store's certificate.
  const virtual = style === "virtual" || (style !== "path" && said === undefined && !name.includes("."));
  return new Bucket({
    ...{ name, region, emit, signal },
    endpoint: said ?? `https://s3.${region}.amazonaws.com`,
    addressing: virtual ? "virtual" : "path",
    credentials: () => loadCredentials({ env, region, signal }),
    ...(settings.ca !== undefined && { ca: certificate(path.resolve(projectDir, settings.ca)) }),
  });
}

function certificate(file: string): string {
  const bytes = readIfExists(file);
  if (bytes === undefined) throw new BootwrightError("PATH_MISSING", `${file} does not exist`);
  return bytes.toString("latin1");
}
