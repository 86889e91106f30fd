/** The part of GitHub's API that releases use, over bare repositories: faults are put in by the test. */
import { execFileSync } from "node:child_process";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface GithubFake {
  readonly url: string;
  /** Of each request: "POST kernel git/tags". */
  readonly calls: string[];
  /** Conclusion of the one check of each commit; none for no checks. */
  readonly conclusions: Map<string, string>;
  /** The next call of this name ends the connection after it has been done. */
  dieAfter: string | undefined;
}

export async function githubFake(remote: (name: string) => string, token: string): Promise<GithubFake> {
  const git = (name: string, args: readonly string[], input?: string): string =>
    execFileSync("git", ["-C", remote(name), ...args], {
      encoding: "utf8",
      ...(input !== undefined && { input }),
    }).trim();
  const fake: { -readonly [P in keyof GithubFake]: GithubFake[P] } = {
    ...{ url: "", calls: [], conclusions: new Map(), dieAfter: undefined },
  };
  const server = http.createServer(async (request, response) => {
    const [, , , name = "", ...rest] = new URL(request.url!, "http://fake").pathname.split("/");
    const call = `${request.method} ${name} ${rest.join("/")}`;
    fake.calls.push(call);
    let text = "";
    for await (const chunk of request) text += chunk;
    const answer = (status: number, body: unknown) => {
      if (fake.dieAfter !== undefined && call.startsWith(fake.dieAfter)) return response.destroy();
      return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (request.headers.authorization !== `Bearer ${token}`) return answer(401, { message: "Bad credentials" });
    if (rest[0] === "commits") {
      const conclusion = fake.conclusions.get(rest[1]!);
      const runs = conclusion === undefined ? [] : [{ name: "build", status: "completed", conclusion }];
      return answer(200, { total_count: runs.length, check_runs: runs });
    }
    const body = JSON.parse(text);
    if (rest.join("/") === "git/tags") {
      const tag = `object ${body.object}\ntype commit\ntag ${body.tag}\ntagger github <github@example.org> 0 +0000\n\n${body.message}`;
      return answer(201, { sha: git(name, ["hash-object", "-t", "tag", "-w", "--stdin"], tag) });
    }
    try {
      git(name, ["update-ref", body.ref, body.sha, "0".repeat(40)]);
    } catch {
      return answer(422, { message: "Reference already exists" });
    }
    return answer(201, { ref: body.ref });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}
