import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type Fault, type FaultyServer, faultyServer } from "../../test/support/faulty-server.ts";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { digestOf } from "./digest.ts";
import { type DownloadOptions, download } from "./download.ts";
import type { BuildEvent } from "./events.ts";
import { closeConnections, request } from "./http.ts";

vi.stubEnv("no_proxy", "127.0.0.1,localhost"); // The loopback server is not behind the user's proxy.
afterAll(closeConnections);

const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251));
const serve = (...faults: (Fault | undefined)[]) => faultyServer({ files: { "/f": body }, faults });

async function fetchAll(url: string, options: DownloadOptions = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of download(url, { backoffMs: 1, ...options })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
const ranges = (server: FaultyServer) => server.requests.map(({ range }) => range);

describe("download goes on where it broke", () => {
  it.each<[what: string, fault: Fault]>([
    ["the connection closes", { drop: 40_000 }],
    ["the server goes silent", { stall: 40_000 }],
  ])("when %s: only the missing part is fetched", async (_, fault) => {
    const server = await serve(fault);
    expect((await fetchAll(`${server.url}/f`, { stallMs: 200 })).equals(body)).toBe(true);
    expect(ranges(server)).toEqual([undefined, "bytes=40000-"]);
    expect(server.sent()).toBe(body.length);
  });

  it("many times", async () => {
    const server = await serve({ drop: 30_000 }, { drop: 30_000 }, { drop: 30_000 });
    expect((await fetchAll(`${server.url}/f`)).equals(body)).toBe(true);
    expect(server.sent()).toBe(body.length);
  });

  it("from the start when the server knows no ranges; nothing comes twice", async () => {
    const server = await serve({ drop: 40_000 }, { ignoreRange: true });
    expect((await fetchAll(`${server.url}/f`)).equals(body)).toBe(true);
    expect(server.requests).toHaveLength(2);
  });

  it("and is done when only the end mark was lost", async () => {
    const server = await serve({ noEnd: true });
    expect((await fetchAll(`${server.url}/f`)).equals(body)).toBe(true);
    expect(ranges(server)).toEqual([undefined, `bytes=${body.length}-`]);
  });

  it("but never joins halves of two versions", async () => {
    for (const etags of [true, false]) {
      const server = await faultyServer({ files: { "/f": body }, faults: [{ drop: 40_000 }], etags });
      const chunks = download(`${server.url}/f`, { backoffMs: 1 });
      await chunks.next();
      server.files["/f"] = Buffer.alloc(body.length + 1, "new");
      const rest = async () => {
        for await (const _ of chunks);
      };
      await expect(rest()).rejects.toMatchObject({
        code: "NETWORK",
        message: expect.stringContaining("changed on the server"),
      });
    }
  });
});

describe("download tries again", () => {
  it("after 503, as late as the server asks", async () => {
    const server = await serve({ status: 503, headers: { "retry-after": "1" } });
    const retries: BuildEvent[] = [];
    expect((await fetchAll(`${server.url}/f`, { emit: (event) => retries.push(event) })).equals(body)).toBe(true);
    expect(retries).toMatchObject([{ type: "retry", attempt: 1, waitMs: 1000 }]);
  });

  it.each([429, 408, 500, 502])("after %d", async (status) => {
    const server = await serve({ status });
    expect((await fetchAll(`${server.url}/f`)).equals(body)).toBe(true);
  });

  it("a bounded number of times, waiting longer each time", async () => {
    const server = await serve(...Array<Fault>(9).fill({ status: 500 }));
    const waits: number[] = [];
    const emit = (event: BuildEvent) => event.type === "retry" && waits.push(event.waitMs);
    await expect(fetchAll(`${server.url}/f`, { attempts: 4, emit })).rejects.toMatchObject({
      code: "HTTP_STATUS",
      exit: 5,
    });
    expect(server.requests).toHaveLength(4);
    expect(waits).toEqual([1, 2, 4]);
  });

  it("a bounded number of times, too, when each brings a byte", async () => {
    const server = await serve(...Array<Fault>(50).fill({ drop: 1 }));
    await expect(fetchAll(`${server.url}/f`, { attempts: 3 })).rejects.toMatchObject({ code: "NETWORK" });
    expect(server.requests.length).toBeLessThanOrEqual(3);
  });

  it.each([400, 401, 403, 404, 410, 416])("but not after %d", async (status) => {
    const server = await serve({ status });
    await expect(fetchAll(`${server.url}/f`)).rejects.toMatchObject({
      code: "HTTP_STATUS",
      message: `${server.url}/f: the server answered ${status}`,
    });
    expect(server.requests).toHaveLength(1);
  });

  it("and not after an abort", async () => {
    const server = await serve({ stall: 10 });
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("enough")), 100);
    await expect(fetchAll(`${server.url}/f`, { signal: stop.signal })).rejects.toThrow("enough");
    expect(server.requests).toHaveLength(1);
  });

  it("a server that is not there is NETWORK", async () => {
    await expect(fetchAll("http://127.0.0.1:1/f", { attempts: 2 })).rejects.toMatchObject({ code: "NETWORK", exit: 5 });
  });
});

describe("wrong bytes are never stored", () => {
  it.each<[what: string, fault: Fault]>([
    ["corrupted", { corrupt: 50_000 }],
    ["shortened, with a length to match", { truncate: 50_000 }],
  ])("%s", async (_, fault) => {
    const server = await serve(fault);
    const store = tempStore();
    const expected = digestOf(body);
    const chunks = download(`${server.url}/f`, { backoffMs: 1, maxSize: expected.size });
    await expect(store.blobs.putStream(chunks, { expected })).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    expect([...store.blobs.list()]).toEqual([]);
  });

  it("a body that is too long is refused while it streams", async () => {
    const server = await serve({ drip: 1000, everyMs: 1 });
    await expect(fetchAll(`${server.url}/f`, { maxSize: 5000 })).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    expect(server.sent()).toBeLessThan(body.length);
  });

  it("a slow server is waited for as long as it sends", async () => {
    const server = await serve({ drip: 20_000, everyMs: 60 });
    expect((await fetchAll(`${server.url}/f`, { stallMs: 1000, attempts: 1 })).equals(body)).toBe(true);
  });
});

describe("redirects", () => {
  it("are followed, relative ones too", async () => {
    const server = await faultyServer({
      files: { "/a/f": body },
      faults: [{ redirect: "../a/f" }, { redirect: "f", status: 308 }],
    });
    const response = await request(`${server.url}/b/start`);
    await response.body.dump();
    expect(response).toMatchObject({ status: 200, url: `${server.url}/a/f` });
    expect(server.requests.map(({ path: at }) => at)).toEqual(["/b/start", "/a/f", "/a/f"]);
  });

  it("end somewhere: a loop is an error, and not tried again", async () => {
    const server = await serve(...Array<Fault>(40).fill({ redirect: "/f" }));
    await expect(fetchAll(`${server.url}/f`)).rejects.toMatchObject({
      message: expect.stringContaining("more than 10 redirects"),
    });
    expect(server.requests).toHaveLength(11);
  });

  it.each(["file:///etc/passwd", "ftp://host/f"])("to %s are refused", async (redirect) => {
    const server = await serve({ redirect });
    await expect(fetchAll(`${server.url}/f`)).rejects.toMatchObject({ code: "NETWORK" });
    expect(server.requests).toHaveLength(1);
  });

  it("to another origin do not carry credentials along; to the same they do", async () => {
    const other = await serve();
    const server = await serve({ redirect: "/f" }, { redirect: `${other.url}/f` });
    const secrets = { authorization: "Bearer secret", Cookie: "secret", "x-plain": "stays" };
    await (await request(`${server.url}/f`, { headers: secrets })).body.dump();
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer secret", "Bearer secret"]);
    expect(other.requests[0]!.headers).toMatchObject({ "x-plain": "stays" });
    expect(other.requests[0]!.headers).not.toHaveProperty("authorization");
    expect(other.requests[0]!.headers).not.toHaveProperty("cookie");
  });
});

describe("file addresses", () => {
  it("are read from the disk", async () => {
    const file = path.join(tempDir(), "a b#c");
    fs.writeFileSync(file, body);
    expect((await fetchAll(pathToFileURL(file).href)).equals(body)).toBe(true);
  });

  it("of what is not there are PATH_MISSING", async () => {
    await expect(fetchAll("file:///no/such/file")).rejects.toMatchObject({ code: "PATH_MISSING" });
  });
});
