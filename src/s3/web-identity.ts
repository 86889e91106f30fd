/** Trades a token of an identity provider (what CI services give a job) for credentials of a role: AssumeRoleWithWebIdentity. */
import { BootwrightError } from "../base/errors.ts";
import { request } from "../base/http.ts";
import type { S3Credentials } from "./signature.ts";
import { parseXml, readXmlBody } from "./xml.ts";

export interface WebIdentity {
  readonly endpoint: string;
  /** A secret. */
  readonly token: string;
  readonly role: string;
  readonly session: string;
  readonly signal: AbortSignal;
}

/** Throws CREDENTIALS_REFUSED, and what a request throws. */
export async function assumeRole({ endpoint, token, role, session, signal }: WebIdentity): Promise<S3Credentials> {
  const body = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: role,
    RoleSessionName: session,
    WebIdentityToken: token,
  }).toString();
  const response = await request(endpoint, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/xml" },
    body,
    signal,
    accept: (status) => status < 500,
  });
  const document = parseXml(await readXmlBody(response), endpoint);
  const got = document.find("Credentials");
  const [accessKey, secretKey] = [got?.text("AccessKeyId"), got?.text("SecretAccessKey")];
  if (response.status >= 400 || !accessKey || !secretKey)
    throw new BootwrightError("CREDENTIALS_REFUSED", `${endpoint} gives no credentials for ${role}`, {
      ...(document.find("Message") && { detail: `it says: ${document.find("Message")!.text()}` }),
      hint: "the role must trust the identity provider, and the token must be fresh",
    });
  const expires = Date.parse(got?.text("Expiration") ?? "");
  return {
    ...{ accessKey, secretKey, sessionToken: got?.text("SessionToken") || undefined, from: `role ${role}` },
    ...(!Number.isNaN(expires) && { expires }),
  };
}
