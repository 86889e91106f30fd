/** What GitHub's API does better than git: it says whether a commit's checks passed, and tags without a clone's credentials. */
import { BootwrightError } from "../base/errors.ts";
import { request } from "../base/http.ts";
import type { Json } from "../base/json.ts";

export interface GithubRepository {
  /** Without a slash at its end. */
  readonly api: string;
  /** "owner/name". */
  readonly name: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

/** "owner/name" of an address on github.com; undefined for another. */
export const githubName = (address: string): string | undefined =>
  /^(?:https:\/\/(?:[^/@]*@)?github\.com\/|(?:ssh:\/\/)?git@github\.com[:/])([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(
    address,
  )?.[1];

/** Why a commit is not green; undefined when it is. */
export async function githubRefusal(repository: GithubRepository, commit: string): Promise<string | undefined> {
  for (let page = 1, seen = 0; ; page++) {
    const { body } = await call(repository, {
      path: `commits/${commit}/check-runs?per_page=100&page=${page}`,
      accept: [200],
    });
    const { total_count: total = 0, check_runs: runs = [] } = body as { total_count?: number; check_runs?: CheckRun[] };
    if (total === 0) return "GitHub has no check runs of it";
    const bad = runs.find(({ status, conclusion }) => status !== "completed" || !PASSED.includes(conclusion ?? ""));
    if (bad !== undefined) return `the check "${bad.name}" is ${bad.conclusion ?? bad.status}`;
    seen += runs.length;
    if (seen >= total || runs.length === 0) return undefined;
  }
}

interface CheckRun {
  readonly name: string;
  readonly status: string;
  readonly conclusion: string | null;
}

const PASSED = ["success", "neutral", "skipped"];

/** An annotated tag: the object first, then the ref that leads to it. False when the ref is there already. */
export async function createGithubTag(
  repository: GithubRepository,
  { tag, commit, message }: { tag: string; commit: string; message: string },
): Promise<boolean> {
  const made = await call(repository, {
    ...{ path: "git/tags", accept: [201] },
    body: { tag, message, object: commit, type: "commit" },
  });
  const { sha } = made.body as { sha?: string };
  if (typeof sha !== "string") throw new BootwrightError("NETWORK", `${repository.api}: made no tag`);
  const { status } = await call(repository, {
    ...{ path: "git/refs", accept: [201, 422] },
    body: { ref: `refs/tags/${tag}`, sha },
  });
  return status === 201;
}

async function call(
  { api, name, token, signal }: GithubRepository,
  { path, body, accept }: { path: string; body?: Json; accept: readonly number[] },
): Promise<{ status: number; body: unknown }> {
  const url = `${api}/repos/${name}/${path}`;
  const answer = await request(url, {
    method: body === undefined ? "GET" : "POST",
    signal,
    headers: {
      accept: "application/vnd.github+json",
      "x-github-api-version": "2022-11-28",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    accept: (status) => status < 500,
  });
  const text = await readText(answer.body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = {};
  }
  if (!accept.includes(answer.status)) {
    const said = (value as { message?: unknown }).message;
    throw new BootwrightError("HTTP_STATUS", `${url.replace(/\?.*/, "")}: the server answered ${answer.status}`, {
      ...(typeof said === "string" && { detail: said }),
      hint:
        token === undefined
          ? "set GITHUB_TOKEN to a token that may read and write the repository's contents"
          : "GITHUB_TOKEN may not do this: it needs to read and write the repository's contents, and read its checks",
    });
  }
  return { status: answer.status, body: value };
}

const MAX_ANSWER = 8 << 20;

async function readText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new BootwrightError("LIMIT_EXCEEDED", `an answer of more than ${MAX_ANSWER} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}
