/** GitHub's REST API for releases on loopback, as far as it is used: drafts, assets with digests, one release a tag. Breaks as told. */
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeAsset {
  readonly id: number;
  readonly name: string;
  readonly bytes: Buffer;
  readonly state: "uploaded" | "starter";
}

export interface FakeRelease {
  readonly id: number;
  readonly tag: string;
  draft: boolean;
  latest: boolean;
  readonly body: string;
  assets: FakeAsset[];
}

/**
 * drop: does its work, and loses the answer; truncate: ends in the middle of the answer; page: answers with a page for people in
 * place of it; cut: takes half of the body; damage: keeps other bytes than it was sent.
 */
export type GithubFault =
  | "drop"
  | "truncate"
  | "page"
  | "cut"
  | "damage"
  | { readonly status: number; readonly retryAfter?: number };

export interface GithubFake {
  readonly api: string;
  readonly releases: FakeRelease[];
  /** "METHOD /path" of each request. */
  readonly requests: string[];
  /** Asked for each request, with its number from 1. */
  fault: (count: number, request: string) => GithubFault | undefined;
  readonly stop: () => Promise<void>;
}

export async function startGithubFake({ token }: { readonly token: string }): Promise<GithubFake> {
  let ids = 1;
  const fake = {
    releases: [] as FakeRelease[],
    requests: [] as string[],
    fault: () => undefined as GithubFault | undefined,
  };
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url!, "http://fake");
    const line = `${request.method} ${url.pathname}`;
    fake.requests.push(line);
    const fault = (fake as unknown as GithubFake).fault(fake.requests.length, line);
    if (typeof fault === "object") {
      request.resume();
      const headers = fault.retryAfter === undefined ? {} : { "retry-after": String(fault.retryAfter) };
      response.writeHead(fault.status, headers).end(JSON.stringify({ message: "as told" }));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    if (fault === "cut" && !line.includes("/uploads/")) {
      response.destroy();
      return;
    }
    const body =
      fault === "cut"
        ? sent.subarray(0, sent.length / 2)
        : fault === "damage"
          ? Buffer.from(sent).fill("x", 0, 1)
          : sent;
    const answer = handle(line, url, {
      body,
      cut: fault === "cut",
      may: request.headers.authorization === `Bearer ${token}`,
    });
    const text = answer.json === undefined ? "" : JSON.stringify(answer.json);
    if (fault === "drop" || fault === "cut") response.destroy();
    else if (fault === "page") response.writeHead(200, { "content-type": "text/html" }).end("<html>Maintenance</html>");
    else if (fault === "truncate") {
      response.writeHead(answer.status, { "content-length": text.length + 1 });
      response.write(text.slice(0, -1) || "x", () => response.destroy());
    } else response.writeHead(answer.status, { "content-type": "application/json" }).end(text);
  });

  const find = (id: string | undefined) => fake.releases.find((one) => one.id === Number(id));
  const shown = (release: FakeRelease) => ({
    id: release.id,
    tag_name: release.tag,
    draft: release.draft,
    body: release.body,
    html_url: `https://github.example/releases/${release.tag}`,
    upload_url: `${api()}/uploads/${release.id}/assets{?name,label}`,
    assets: release.assets.map(shownAsset),
  });

  function handle(
    line: string,
    url: URL,
    { body, cut, may }: { body: Buffer; cut: boolean; may: boolean },
  ): { status: number; json?: unknown } {
    const [, tag] = /^GET \/repos\/o\/r\/releases\/tags\/(.+)$/.exec(line) ?? [];
    if (tag !== undefined) {
      const found = fake.releases.find((one) => one.tag === decodeURIComponent(tag) && !one.draft);
      return found === undefined
        ? { status: 404, json: { message: "Not Found" } }
        : { status: 200, json: shown(found) };
    }
    if (!may) return { status: 401, json: { message: "Bad credentials" } };
    if (line === "GET /repos/o/r/releases") return { status: 200, json: fake.releases.map(shown) };
    if (line === "POST /repos/o/r/releases") {
      const {
        tag_name: tag,
        body: text,
        draft,
      } = JSON.parse(body.toString()) as { tag_name: string; body: string; draft: boolean };
      const release: FakeRelease = { id: ids++, tag, draft, latest: false, body: text, assets: [] };
      fake.releases.push(release);
      return { status: 201, json: shown(release) };
    }
    const [, upload] = /^POST \/uploads\/(\d+)\/assets$/.exec(line) ?? [];
    if (upload !== undefined) {
      const release = find(upload);
      const name = url.searchParams.get("name")!;
      if (release === undefined) return { status: 404, json: { message: "Not Found" } };
      if (release.assets.some((one) => one.name === name)) return { status: 422, json: { message: "already_exists" } };
      const asset: FakeAsset = { id: ids++, name, bytes: body, state: cut ? "starter" : "uploaded" };
      release.assets.push(asset);
      return { status: 201, json: shownAsset(asset) };
    }
    const [, asset] = /^DELETE \/repos\/o\/r\/releases\/assets\/(\d+)$/.exec(line) ?? [];
    if (asset !== undefined) {
      for (const release of fake.releases) release.assets = release.assets.filter(({ id }) => id !== Number(asset));
      return { status: 204 };
    }
    const [, method, id, rest] = /^([A-Z]+) \/repos\/o\/r\/releases\/(\d+)(\/assets)?$/.exec(line) ?? [];
    const release = find(id);
    if (release === undefined) return { status: 404, json: { message: "Not Found" } };
    if (method === "GET" && rest !== undefined) return { status: 200, json: release.assets.map(shownAsset) };
    if (method === "DELETE") {
      fake.releases.splice(fake.releases.indexOf(release), 1);
      return { status: 204 };
    }
    const taken = fake.releases.some((one) => one !== release && one.tag === release.tag && !one.draft);
    if (taken) return { status: 422, json: { message: "Validation Failed: tag_name already_exists" } };
    release.draft = false;
    release.latest = (JSON.parse(body.toString()) as { make_latest: string }).make_latest === "true";
    return { status: 200, json: shown(release) };
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const api = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(fake, {
    api: api(),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

const shownAsset = ({ id, name, bytes, state }: FakeAsset) => ({
  ...{ id, name, state, size: bytes.length },
  digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
});
