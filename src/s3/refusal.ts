/** What an object store's refusal means, so that a person knows what to do next ("Error responses" of the S3 API reference). */
import { BootwrightError } from "../base/errors.ts";
import { type HttpResponse, HttpStatusError } from "../base/http.ts";
import type { S3Credentials } from "./signature.ts";
import { parseXml, readXmlBody, type XmlElement } from "./xml.ts";

export interface Asked {
  /** "s3://bucket", for people. */
  readonly bucket: string;
  readonly endpoint: string;
  /** Completes "cannot …": "read s3://bucket/key". */
  readonly what: string;
  readonly credentials: S3Credentials | undefined;
}

/** The server's own document, where it sent one (to HEAD it cannot). */
export interface S3Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Where the bucket is, when it is elsewhere. */
  readonly region: string;
  readonly headers: HttpResponse["headers"];
}

/** Reads the body. */
export async function readProblem(response: HttpResponse): Promise<S3Problem> {
  const { status, headers } = response;
  let error: XmlElement | undefined;
  try {
    error = parseXml(await readXmlBody(response), "").find("Error");
  } catch {
    // A proxy's page, or nothing.
  }
  const header = headers["x-amz-bucket-region"];
  return {
    ...{ status, headers },
    code: error?.text("Code").slice(0, 100) ?? "",
    message: error?.text("Message").slice(0, 500) ?? "",
    region: error?.text("Region") || (typeof header === "string" ? header : ""),
  };
}

export function isBusy({ status, code }: S3Problem): boolean {
  // 501 says that the server will never do it.
  return (
    status === 408 ||
    status === 429 ||
    (status >= 500 && status !== 501) ||
    code === "SlowDown" ||
    code === "RequestTimeout"
  );
}

/** The error that a refusal means. Busy servers give an HttpStatusError. */
export function refusalError(problem: S3Problem, { bucket, endpoint, what, credentials }: Asked): BootwrightError {
  const { status, code, message } = problem;
  const detail = [code, message].filter(Boolean).join(": ");
  const said = detail === "" ? {} : { detail: `the server says: ${detail}` };
  const who = credentials === undefined ? "nobody (no credentials)" : `${credentials.accessKey} (${credentials.from})`;
  const login = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
  const denied = (text: string, hint: string) =>
    new BootwrightError("OBJECT_DENIED", `cannot ${what}: ${text}`, { ...said, hint });
  if (isBusy(problem)) return new HttpStatusError(`cannot ${what}: ${endpoint}`, status, problem.headers);
  if (code === "NoSuchBucket")
    return new BootwrightError("BUCKET_UNKNOWN", `cannot ${what}: ${endpoint} has no bucket ${bucket.slice(5)}`, {
      hint: "check the name and the endpoint; buckets are made by their owner, not by Bootwright",
    });
  if (code === "NoSuchUpload")
    return new BootwrightError("OBJECT_UNKNOWN", `cannot ${what}: the upload was ended`, said);
  if (code === "NoSuchKey" || (status === 404 && code === ""))
    return new BootwrightError("OBJECT_UNKNOWN", `cannot ${what}: there is no such object`, said);
  if (
    code === "InvalidAccessKeyId" ||
    code === "SignatureDoesNotMatch" ||
    code === "InvalidToken" ||
    code === "ExpiredToken"
  )
    return new BootwrightError(
      "CREDENTIALS_REFUSED",
      `cannot ${what}: ${endpoint} does not take the credentials of ${who}`,
      {
        ...said,
        hint:
          code === "ExpiredToken"
            ? "they have expired: get new ones"
            : "check the access key, its secret key and the endpoint: each store has its own accounts",
      },
    );
  if (code === "RequestTimeTooSkewed")
    return denied("the clocks of this host and the server differ", "set this host's clock");
  if (status === 401 || status === 403)
    return credentials === undefined
      ? denied("there are no credentials, and it is not open to all", login)
      : denied(
          `${who} may not do that`,
          "ask the bucket's owner for the right; a store may say the same of what does not exist",
        );
  if (status === 301 || code === "PermanentRedirect" || code === "AuthorizationHeaderMalformed")
    return denied(
      `the bucket is in another region${problem.region === "" ? "" : `: ${problem.region}`}`,
      `set \`region\` of the bucket in \`buckets\`, or AWS_REGION`,
    );
  return new BootwrightError("OBJECT_REFUSED", `cannot ${what}: ${endpoint} answered ${status}`, {
    ...said,
    ...(credentials === undefined && { hint: `it was asked without credentials: ${login}` }),
  });
}
