/**
 * Who we are in an object store: the environment, a web identity's token, else a profile of the shared files, in the order
 * in which AWS tools look.
 */
import fs from "node:fs";
import { BootwrightError, ioError } from "../base/errors.ts";
import { type Environment, loadProfile } from "./profile.ts";
import type { S3Credentials } from "./signature.ts";
import { assumeRole } from "./web-identity.ts";

export interface CredentialOptions {
  readonly env: Environment;
  readonly region: string;
  readonly signal: AbortSignal;
}

/** Undefined when nothing says who we are: the bucket may be open to all. Throws CONFIG_INVALID for half of a pair, and what asking for a role throws. */
export async function loadCredentials({ env, region, signal }: CredentialOptions): Promise<S3Credentials | undefined> {
  const profile = loadProfile(env);
  // A profile that is asked for by name is meant, also where the environment has keys.
  const places = profile.chosen ? [fromProfile, fromWebIdentity] : [fromEnvironment, fromWebIdentity, fromProfile];
  for (const place of places) {
    const found = await place();
    if (found !== undefined) return found;
  }
  if (profile.chosen && !profile.exists)
    throw new BootwrightError("CREDENTIALS_INVALID", `there is no profile "${profile.name}" (from AWS_PROFILE)`, {
      detail: profile.files.map((file) => `looked into ${file}`).join("\n"),
    });
  return undefined;

  function fromEnvironment(): S3Credentials | undefined {
    return pair({
      accessKey: env.AWS_ACCESS_KEY_ID,
      secretKey: env.AWS_SECRET_ACCESS_KEY,
      sessionToken: env.AWS_SESSION_TOKEN,
      from: "AWS_ACCESS_KEY_ID",
    });
  }

  function fromProfile(): Promise<S3Credentials | undefined> | S3Credentials | undefined {
    const keys = pair({
      accessKey: profile.get("aws_access_key_id"),
      secretKey: profile.get("aws_secret_access_key"),
      sessionToken: profile.get("aws_session_token"),
      from: `profile ${profile.name}`,
    });
    const [tokenFile, role] = [profile.get("web_identity_token_file"), profile.get("role_arn")];
    if (keys !== undefined || tokenFile === undefined || role === undefined) return keys;
    return withToken({ tokenFile, role, session: profile.get("role_session_name") });
  }

  function fromWebIdentity(): Promise<S3Credentials> | undefined {
    const [tokenFile, role] = [env.AWS_WEB_IDENTITY_TOKEN_FILE, env.AWS_ROLE_ARN];
    return tokenFile && role ? withToken({ tokenFile, role, session: env.AWS_ROLE_SESSION_NAME }) : undefined;
  }

  function withToken(identity: { tokenFile: string; role: string; session: string | undefined }) {
    let token: string;
    try {
      token = fs.readFileSync(identity.tokenFile, "utf8").trim();
    } catch (error) {
      throw ioError("read", identity.tokenFile, error);
    }
    const endpoint =
      env.AWS_ENDPOINT_URL_STS ||
      env.AWS_ENDPOINT_URL ||
      profile.get("endpoint_url") ||
      `https://sts.${region}.amazonaws.com`;
    return assumeRole({ endpoint, token, role: identity.role, session: identity.session ?? "bootwright", signal });
  }
}

/** Both or none. */
function pair(found: {
  accessKey: string | undefined;
  secretKey: string | undefined;
  sessionToken: string | undefined;
  from: string;
}): S3Credentials | undefined {
  const { accessKey, secretKey, sessionToken, from } = found;
  if (!accessKey && !secretKey) return undefined;
  if (!accessKey || !secretKey)
    throw new BootwrightError(
      "CREDENTIALS_INVALID",
      `${from} has ${accessKey ? "no secret key" : "a secret key alone"}`,
      {
        hint: "an access key and its secret key belong together",
      },
    );
  return { accessKey, secretKey, sessionToken: sessionToken || undefined, from };
}
