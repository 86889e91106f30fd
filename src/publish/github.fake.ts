/**
 * GitHub's REST API for releases on loopback, as far as it is used: drafts, assets with digests, one release a tag, and the store that
 * assets are read from, which is another server and wants no token. Breaks as told.
 */
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeAsset {
  readonly id: number;
  readonly name: string;
  bytes: Buffer;
  readonly state: "uploaded" | "starter";
  readonly created?: string;
}

export interface FakeRelease {
  readonly id: number;
  readonly tag: string;
  draft: boolean;
  latest: boolean;
  readonly body: string;
  created: string;
  published: string;
  assets: FakeAsset[];
}

/**
 * drop: does its work, and loses the answer; truncate: ends in the middle of the answer; page: answers with a page for people in
 * place of it; cut: takes half of the body; damage: keeps other bytes than it was sent, or sends others than it has; stall: does its work,
 * and is silent.
 */
export type GithubFault =
  | "drop"
  | "truncate"
  | "page"
  | "cut"
  | "damage"
  | "stall"
  | { readonly status: number; readonly retryAfter?: number };

export interface GithubFake {
  readonly api: string;
  readonly releases: FakeRelease[];
  /** "METHOD /path" of each request, of both servers. */
  readonly requests: string[];
  /** Asked for each request, with its number from 1. */
  fault: (count: number, request: string) => GithubFault | undefined;
  /** False for a server that is too old to tell digests. */
  tellsDigests: boolean;
  /** Who has no token sees nothing. */
  isPrivate: boolean;
  /** Releases take nothing more once they are published. */
  isImmutable: boolean;
  readonly stop: () => Promise<void>;
}

interface FakeAnswer {
  readonly status: number;
  readonly json?: unknown;
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function startGithubFake({ token }: { readonly token: string }): Promise<GithubFake> {
  let ids = 1;
  const fake = {
    releases: [] as FakeRelease[],
    requests: [] as string[],
    fault: (() => undefined) as GithubFake["fault"],
    tellsDigests: true,
    isPrivate: false,
    isImmutable: false,
  };

  const serve =
    (handle: (line: string, url: URL, sent: Sent) => FakeAnswer): http.RequestListener =>
    async (request, response) => {
      const url = new URL(request.url!, "http://fake");
      const line = `${request.method} ${url.pathname}`;
      fake.requests.push(line);
      const fault = fake.fault(fake.requests.length, line);
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
      const body = fault === "cut" ? sent.subarray(0, sent.length / 2) : fault === "damage" ? damaged(sent) : sent;
      const answer = handle(line, url, { body, cut: fault === "cut", headers: request.headers });
      const text = answer.bytes ?? Buffer.from(answer.json === undefined ? "" : JSON.stringify(answer.json));
      if (fault === "stall") return; // Until the other side gives up, or the server stops.
      if (fault === "drop" || fault === "cut") response.destroy();
      else if (fault === "page")
        response.writeHead(200, { "content-type": "text/html" }).end("<html>Maintenance</html>");
      else if (fault === "truncate") {
        response.writeHead(answer.status, { ...answer.headers, "content-length": text.length + 1 });
        response.write(text.subarray(0, -1).length === 0 ? "x" : text.subarray(0, -1), () => response.destroy());
      } else
        response
          .writeHead(answer.status, { "content-type": "application/json", ...answer.headers })
          .end(fault === "damage" && answer.bytes !== undefined ? damaged(text) : text);
    };

  const find = (id: string | undefined) => fake.releases.find((one) => one.id === Number(id));
  const shownAsset = ({ id, name, bytes, state, created }: FakeAsset) => ({
    ...{ id, name, state, size: bytes.length, created_at: created ?? new Date().toISOString() },
    ...(fake.tellsDigests && { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` }),
  });
  const shown = (release: FakeRelease) => ({
    id: release.id,
    tag_name: release.tag,
    draft: release.draft,
    body: release.body,
    created_at: release.created,
    published_at: release.draft ? null : release.published,
    immutable: fake.isImmutable && !release.draft,
    html_url: `https://github.example/releases/${release.tag}`,
    upload_url: `${addressOf(api)}/uploads/${release.id}/assets{?name,label}`,
    assets: release.assets.map(shownAsset),
  });

  function handle(line: string, url: URL, { body, cut, headers }: Sent): FakeAnswer {
    const may = headers.authorization === `Bearer ${token}`;
    const notFound = { status: 404, json: { message: "Not Found" } };
    const isRead = line.startsWith("GET ");
    if (!may && (!isRead || headers.authorization !== undefined))
      return { status: 401, json: { message: "Bad credentials" } };
    if (!may && fake.isPrivate) return notFound;
    const [, tag] = /^GET \/repos\/o\/r\/releases\/tags\/(.+)$/.exec(line) ?? [];
    const [, read] = /^GET \/repos\/o\/r\/releases\/assets\/(\d+)$/.exec(line) ?? [];
    if (tag !== undefined || line === "GET /repos/o/r/releases/latest") {
      const found = fake.releases.find(
        (one) => !one.draft && (tag === undefined ? one.latest : one.tag === decodeURIComponent(tag)),
      );
      return found === undefined ? notFound : { status: 200, json: shown(found) };
    }
    if (read !== undefined) {
      const found = fake.releases.find((one) => one.assets.some(({ id }) => id === Number(read)));
      if (found === undefined || (found.draft && !may)) return notFound;
      if (headers.accept !== "application/octet-stream")
        return { status: 200, json: shownAsset(found.assets.find(({ id }) => id === Number(read))!) };
      return { status: 302, headers: { location: `${addressOf(store)}/objects/${read}?signed=secret-of-the-bearer` } };
    }
    if (line === "GET /repos/o/r/releases") {
      const all = fake.releases.filter(({ draft }) => may || !draft);
      return { status: 200, json: pageOf(all, url).map(shown) };
    }
    if (line === "POST /repos/o/r/releases") {
      const {
        tag_name: tag,
        body: text,
        draft,
      } = JSON.parse(body.toString()) as { tag_name: string; body: string; draft: boolean };
      const release: FakeRelease = {
        id: ids++,
        tag,
        draft,
        latest: false,
        body: text,
        created: "",
        published: "",
        assets: [],
      };
      release.created = new Date().toISOString();
      fake.releases.push(release);
      return { status: 201, json: shown(release) };
    }
    const [, upload] = /^POST \/uploads\/(\d+)\/assets$/.exec(line) ?? [];
    if (upload !== undefined) {
      const release = find(upload);
      const name = url.searchParams.get("name")!;
      if (release === undefined) return notFound;
      if (fake.isImmutable && !release.draft)
        return { status: 422, json: { message: "Cannot upload assets to an immutable release." } };
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
    if (release === undefined) return notFound;
    if (method === "GET" && rest !== undefined)
      return { status: 200, json: pageOf(release.assets, url).map(shownAsset) };
    if (method === "DELETE") {
      fake.releases.splice(fake.releases.indexOf(release), 1);
      return { status: 204 };
    }
    const taken = fake.releases.some((one) => one !== release && one.tag === release.tag && !one.draft);
    if (taken) return { status: 422, json: { message: "Validation Failed: tag_name already_exists" } };
    release.draft = false;
    release.published = `2026-01-02T03:${String(ids++ % 60).padStart(2, "0")}:05Z`;
    const latest = (JSON.parse(body.toString()) as { make_latest: string }).make_latest === "true";
    if (latest) for (const other of fake.releases) other.latest = other === release;
    return { status: 200, json: shown(release) };
  }

  /** Who sends it a token gets nothing, as from GitHub's own store. */
  function handleStore(line: string, url: URL, { headers }: Sent): FakeAnswer {
    if (headers.authorization !== undefined || url.searchParams.get("signed") === null) return { status: 400 };
    const id = Number(/^GET \/objects\/(\d+)$/.exec(line)?.[1]);
    const bytes = fake.releases.flatMap(({ assets }) => assets).find((one) => one.id === id)?.bytes;
    if (bytes === undefined) return { status: 404 };
    const from = /^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1];
    if (from === undefined) return { status: 200, bytes };
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    return { status: 206, bytes: bytes.subarray(Number(from)), headers: { "content-range": range } };
  }

  const [api, store] = [http.createServer(serve(handle)), http.createServer(serve(handleStore))];
  for (const server of [api, store])
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return Object.assign(fake, {
    api: addressOf(api),
    stop: async () => {
      for (const server of [api, store]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  });
}

interface Sent {
  readonly body: Buffer;
  readonly cut: boolean;
  readonly headers: http.IncomingHttpHeaders;
}

const addressOf = (server: http.Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const damaged = (bytes: Buffer): Buffer => Buffer.from(bytes).fill("x", 0, Math.min(1, bytes.length));

function pageOf<T>(all: readonly T[], { searchParams }: URL): readonly T[] {
  const size = Number(searchParams.get("per_page") ?? 30);
  const page = Number(searchParams.get("page") ?? 1);
  return all.slice((page - 1) * size, page * size);
}
