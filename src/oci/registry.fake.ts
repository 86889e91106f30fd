/**
 * A registry in memory, as the specification has it (OCI Distribution 1.1), with what Debian's lacks: uploads that resume, the
 * referrers API, small pages, a least chunk. Counts what it is asked, so that a test sees what was sent again.
 */
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeRegistryOptions {
  /** Names on a page. */
  readonly page?: number;
  /** With the referrers API; default true. */
  readonly referrers?: boolean;
  /** Bodies that are larger are answered with 413. */
  readonly largest?: number;
  /** Bytes of the least chunk, which it says. */
  readonly leastChunk?: number;
  /** Blobs are redirected to this origin, as from a registry to its storage. */
  readonly storage?: () => string;
}

export interface FakeRegistry {
  readonly host: string;
  readonly blobs: Map<string, Buffer>;
  /** By "NAME:TAG" and "NAME@DIGEST". */
  readonly manifests: Map<string, { bytes: Buffer; type: string }>;
  /** "METHOD kind", such as "PATCH upload". */
  readonly asked: string[];
  /** Bytes of bodies that came in. */
  received: number;
  close(): Promise<void>;
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export async function fakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const { page = 1000, referrers = true, largest = Number.POSITIVE_INFINITY, leastChunk } = options;
  const uploads = new Map<string, Buffer[]>();
  const size = (id: string) => uploads.get(id)!.reduce((sum, { length }) => sum + length, 0);
  const server = http.createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const fake: FakeRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    blobs: new Map(),
    manifests: new Map(),
    asked: [],
    received: 0,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url!, "http://fake");
    const [, name = "", kind = "", rest = ""] =
      /^\/v2\/(?:(.+)\/)?(blobs\/uploads|blobs|manifests|tags|referrers)\/?(.*)$/.exec(url.pathname) ?? [];
    fake.asked.push(`${request.method} ${kind === "blobs/uploads" ? "upload" : kind}`);
    const say = (status: number, headers: http.OutgoingHttpHeaders = {}, body: string | Buffer = "") =>
      response
        .writeHead(status, { "content-length": Buffer.byteLength(body), ...headers })
        .end(request.method === "HEAD" ? "" : body);
    const fail = (status: number, code: string) => say(status, {}, JSON.stringify({ errors: [{ code, message: "" }] }));

    if (kind === "blobs/uploads") return upload();
    const body = await all(request);
    if (url.pathname === "/v2/") return void say(200);
    if (kind === "blobs") {
      const bytes = fake.blobs.get(rest);
      if (bytes === undefined) return void fail(404, "BLOB_UNKNOWN");
      if (options.storage !== undefined && request.method === "GET")
        return void say(307, { location: `${options.storage()}/${rest}?signature=of-the-storage` });
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const part = bytes.subarray(from);
      const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
      return void (from > 0 ? say(206, range, part) : say(200, {}, bytes));
    }
    if (kind === "manifests") {
      const key = rest.startsWith("sha256:") ? `${name}@${rest}` : `${name}:${rest}`;
      if (request.method === "PUT") {
        const digest = digestOf(body);
        if (rest.startsWith("sha256:") && rest !== digest) return void fail(400, "DIGEST_INVALID");
        const named = JSON.parse(body.toString()) as {
          config?: { digest: string };
          layers?: { digest: string }[];
          manifests?: { digest: string }[];
          subject?: { digest: string };
        };
        for (const { digest: one } of [...(named.config ? [named.config] : []), ...(named.layers ?? [])])
          if (!fake.blobs.has(one)) return void fail(404, "MANIFEST_BLOB_UNKNOWN");
        for (const { digest: one } of named.manifests ?? [])
          if (!fake.manifests.has(`${name}@${one}`)) return void fail(404, "MANIFEST_UNKNOWN");
        const entry = { bytes: body, type: request.headers["content-type"] ?? "" };
        fake.manifests.set(key, entry).set(`${name}@${digest}`, entry);
        const subject = referrers && named.subject !== undefined ? { "oci-subject": named.subject.digest } : {};
        return void say(201, { "docker-content-digest": digest, ...subject });
      }
      const found = fake.manifests.get(key);
      if (found === undefined) return void fail(404, "MANIFEST_UNKNOWN");
      if (request.method === "DELETE") {
        for (const [other, { bytes }] of fake.manifests)
          if (other.startsWith(name) && bytes.equals(found.bytes)) fake.manifests.delete(other);
        return void say(202);
      }
      return void say(200, { "content-type": found.type, "docker-content-digest": digestOf(found.bytes) }, found.bytes);
    }
    if (kind === "tags") {
      const tags = [...fake.manifests.keys()]
        .filter((key) => key.startsWith(`${name}:`) && !key.includes("@"))
        .map((key) => key.slice(name.length + 1))
        .sort();
      return void paged(tags, (some) => ({ name, tags: some }));
    }
    if (kind === "referrers" && referrers) {
      const found = [...fake.manifests].flatMap(([key, { bytes, type }]) => {
        const document = JSON.parse(bytes.toString()) as { subject?: { digest: string }; artifactType?: string };
        if (!key.startsWith(`${name}@`) || document.subject?.digest !== rest) return [];
        const { artifactType } = document;
        return [{ mediaType: type, digest: digestOf(bytes), size: bytes.length, artifactType }];
      });
      return void paged(found, (manifests) => ({ schemaVersion: 2, manifests }));
    }
    return void fail(404, "NAME_UNKNOWN");

    function paged<T>(items: readonly T[], make: (some: readonly T[]) => object): void {
      const from = Number(url.searchParams.get("from") ?? 0);
      const next = from + page < items.length ? { link: `<${url.pathname}?from=${from + page}>; rel="next"` } : {};
      say(200, next, JSON.stringify(make(items.slice(from, from + page))));
    }

    async function upload(): Promise<void> {
      const id = rest;
      const location = (one: string) => `/v2/${name}/blobs/uploads/${one}?state=${Math.floor(size(one))}`;
      if (request.method === "POST") {
        await all(request);
        const mount = url.searchParams.get("mount");
        if (mount !== null && fake.blobs.has(mount)) return void say(201, { "docker-content-digest": mount });
        const made = String(uploads.size + 1);
        uploads.set(made, []);
        const least = leastChunk === undefined ? {} : { "oci-chunk-min-length": leastChunk };
        return void say(202, { location: location(made), ...least });
      }
      const parts = uploads.get(id);
      if (parts === undefined) {
        await all(request);
        return void fail(404, "BLOB_UPLOAD_UNKNOWN");
      }
      const progress = () => ({ location: location(id), range: `0-${Math.max(0, size(id) - 1)}` });
      if (request.method === "GET") return void say(204, progress());
      if (Number(request.headers["content-length"] ?? 0) > largest) {
        request.resume();
        await new Promise((resolve) => request.once("end", resolve));
        return void fail(413, "");
      }
      const start = /^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1];
      if (start !== undefined && Number(start) !== size(id)) {
        await all(request);
        return void say(416, progress());
      }
      // What comes is kept, also when the rest does not.
      for await (const chunk of request) {
        parts.push(chunk as Buffer);
        fake.received += (chunk as Buffer).length;
      }
      if (request.method === "PATCH") return void say(202, progress());
      const bytes = Buffer.concat(parts);
      const digest = url.searchParams.get("digest") ?? "";
      uploads.delete(id);
      if (digestOf(bytes) !== digest) return void fail(400, "DIGEST_INVALID");
      fake.blobs.set(digest, bytes);
      say(201, { "docker-content-digest": digest, location: `/v2/${name}/blobs/${digest}` });
    }
  }
}

async function all(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
