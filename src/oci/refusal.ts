/**
 * What a registry's refusal means, said so that a person knows what to do next. A bare "denied" has many causes; which one
 * it is follows from what we sent: credentials or none, which scope, which scope was granted.
 */
import { BootwrightError } from "../base/errors.ts";
import { type HttpResponse, HttpStatusError } from "../base/http.ts";
import type { Credentials } from "./auth-file.ts";

export interface Scope {
  readonly repository: string;
  readonly actions: readonly ScopeAction[];
}

export type ScopeAction = "pull" | "push" | "delete";

export interface Asked {
  readonly host: string;
  readonly scope: Scope | undefined;
  /** Completes "cannot …": "pull team/base:1". */
  readonly what: string;
  readonly credentials: Credentials | undefined;
  /** Actions that the token says it allows; undefined when it does not say. */
  readonly granted?: readonly string[] | undefined;
}

export interface RegistryProblem {
  readonly code: string;
  readonly message: string;
}

const MAX_ERROR_BODY = 64 * 1024;

/** The error that an answer means; reads its body. 408, 429 and 5xx become HttpStatusErrors, which are tried again. */
export async function refusalOf(response: HttpResponse, asked: Asked): Promise<BootwrightError> {
  const problems = await readProblems(response);
  const { status } = response;
  if (status === 429) return new RateLimited(response, asked, problems);
  if (status === 408 || status >= 500) return new RegistryBusy(response, asked, problems);
  if (status === 401 || status === 403 || has(problems, "DENIED", "UNAUTHORIZED")) return denied(asked, problems);
  if (status === 404) return notFound(asked, problems);
  if (has(problems, "DIGEST_INVALID"))
    return new BootwrightError(
      "DIGEST_MISMATCH",
      `cannot ${asked.what}: ${asked.host} got other bytes than were meant`,
      {
        ...said(problems),
        hint: "nothing was published; the file was changed meanwhile, or something on the way changed it",
      },
    );
  return new BootwrightError("REGISTRY_REFUSED", `${asked.host} refused to ${asked.what} (status ${status})`, {
    ...said(problems),
  });
}

/** 429: more requests than the registry allows. */
export class RateLimited extends HttpStatusError {
  constructor(response: HttpResponse, asked: Asked, problems: readonly RegistryProblem[]) {
    super(`cannot ${asked.what}: ${asked.host}`, 429, response.headers);
    this.problems = problems;
    this.asked = asked;
  }

  readonly problems: readonly RegistryProblem[];
  readonly asked: Asked;

  /** What is thrown when waiting is over. */
  final(): BootwrightError {
    const { asked } = this;
    const after = this.retryAfterSeconds;
    return new BootwrightError(
      "RATE_LIMITED",
      `cannot ${asked.what}: ${asked.host} allows no more requests for now${after > 0 ? `; again in ${describeWait(after)}` : ""}`,
      {
        ...said(this.problems),
        hint:
          asked.credentials === undefined
            ? `registries allow more to whom they know: bootwright oci login ${asked.host}`
            : "try again later",
      },
    );
  }
}

/** 408 and 5xx. */
export class RegistryBusy extends HttpStatusError {
  constructor(response: HttpResponse, asked: Asked, problems: readonly RegistryProblem[]) {
    super(`cannot ${asked.what}: ${asked.host}`, response.status, response.headers);
    this.problems = problems;
  }

  readonly problems: readonly RegistryProblem[];
}

/** The registry's own words, as the specification's error document has them; none when the body is something else. */
async function readProblems({ body }: HttpResponse): Promise<readonly RegistryProblem[]> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_ERROR_BODY) break;
      chunks.push(chunk);
    }
    const document = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { errors?: unknown; details?: unknown };
    if (!Array.isArray(document.errors)) return [];
    return document.errors.slice(0, 5).map((one: { code?: unknown; message?: unknown }) => ({
      code: String(one?.code ?? "").slice(0, 100),
      message: String(one?.message ?? "").slice(0, 500),
    }));
  } catch {
    return [];
  }
}

function denied(asked: Asked, problems: readonly RegistryProblem[]): BootwrightError {
  const { host, scope, what, credentials, granted } = asked;
  if (credentials === undefined)
    return new BootwrightError(
      "LOGIN_NEEDED",
      scope === undefined || scope.actions.includes("push")
        ? `cannot ${what}: you are not logged in to ${host}`
        : `cannot ${what}: you are not logged in to ${host}, and ${scope.repository} is private there or does not exist`,
      { ...said(problems), hint: `bootwright oci login ${host}` },
    );
  const who = `${credentials.username === "" ? "the login" : `"${credentials.username}"`} (from ${credentials.from})`;
  if (scope === undefined)
    return new BootwrightError("LOGIN_REFUSED", `${host} refuses ${who}`, {
      ...said(problems),
      hint: `the password is wrong or has expired: bootwright oci login ${host}`,
    });
  const wanted = scope.actions.join(" and ");
  const lacks = granted === undefined ? [] : scope.actions.filter((action) => !granted.includes(action));
  if (lacks.length > 0)
    return new BootwrightError(
      "REGISTRY_DENIED",
      `cannot ${what}: the token that ${host} gave ${who} ${granted!.length === 0 ? "allows nothing" : `allows only to ${granted!.join(" and ")}`} in ${scope.repository}; needed: ${wanted}`,
      { ...said(problems), hint: `ask who owns ${scope.repository} for the right to ${lacks.join(" and ")}` },
    );
  return new BootwrightError("REGISTRY_DENIED", `cannot ${what}: ${host} does not let ${who} ${wanted} here`, {
    ...said(problems),
    hint: `check the name ${scope.repository} and the account's rights; a registry may say the same of a repository that does not exist`,
  });
}

function notFound({ host, scope, what }: Asked, problems: readonly RegistryProblem[]): BootwrightError {
  const noRepository = has(problems, "NAME_UNKNOWN") || scope === undefined;
  return new BootwrightError(
    "REGISTRY_UNKNOWN",
    noRepository && scope !== undefined
      ? `cannot ${what}: ${host} has no repository ${scope.repository}`
      : `cannot ${what}: ${host} has no such thing`,
    {
      ...said(problems),
      hint: noRepository ? "check the name" : `what is there: bootwright oci ls ${host}/${scope.repository}`,
    },
  );
}

const has = (problems: readonly RegistryProblem[], ...codes: string[]): boolean =>
  problems.some(({ code }) => codes.includes(code));

/** Kept apart from our own words: it is the server's text. */
function said(problems: readonly RegistryProblem[]): { detail?: string } {
  const lines = problems.map(({ code, message }) => [code, message].filter(Boolean).join(": ")).filter(Boolean);
  return lines.length === 0 ? {} : { detail: `the registry says: ${lines.join("; ")}` };
}

const describeWait = (seconds: number): string =>
  seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
