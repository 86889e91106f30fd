/** Ways to a registry: TLS with an own authority, a proxy, a redirect to its storage. What is secret stays with whom it is for. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import { type FakeRegistry, fakeRegistry } from "../../src/oci/registry.fake.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir } from "../support/test-session.ts";

const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

const SECRET = "correct-horse-battery";
const basic = Buffer.from(`user:${SECRET}`).toString("base64");

async function registry(options: Parameters<typeof fakeRegistry>[0] = {}): Promise<FakeRegistry> {
  const fake = await fakeRegistry(options);
  closing.push(fake.close);
  return fake;
}

async function listen(server: http.Server | https.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function home(host?: string): string {
  const dir = temporaryDir();
  fs.writeFileSync(path.join(dir, "f"), "file\n");
  if (host !== undefined) {
    fs.mkdirSync(path.join(dir, ".docker"));
    fs.writeFileSync(path.join(dir, ".docker/config.json"), JSON.stringify({ auths: { [host]: { auth: basic } } }));
  }
  return dir;
}

const oci = async (
  dir: string,
  words: readonly string[],
  env: Record<string, string> = { no_proxy: "127.0.0.1,localhost" },
) => {
  const result = await runCli(["oci", ...words, "--debug"], { cwd: dir, env: { HOME: dir, ...env } });
  for (const secret of [SECRET, basic, "of-the-storage"]) expect(result.stdout + result.stderr).not.toContain(secret);
  return result;
};

/** In front of a plain registry, as proxies that end TLS are: it knows nothing of them. */
async function tlsBefore(fake: FakeRegistry): Promise<{ host: string; certificate: string }> {
  const dir = temporaryDir();
  const [keyFile, certificate] = [path.join(dir, "key.pem"), path.join(dir, "cert.pem")];
  const san = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  execFileSync(
    needProgram("openssl", "openssl"),
    [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext", san],
      ...["-keyout", keyFile, "-out", certificate],
    ],
    { stdio: "ignore" },
  );
  const [hostname, port] = fake.host.split(":");
  const server = https.createServer(
    { key: fs.readFileSync(keyFile), cert: fs.readFileSync(certificate) },
    (request, response) => {
      const { method, url: target, headers } = request;
      const upstream = http.request({ hostname, port, method, path: target, headers }, (answer) => {
        // Absolute, and of the wrong kind: what stands behind TLS does not know that it does.
        const { location } = answer.headers;
        const moved = location === undefined ? {} : { location: `http://${headers.host}${location}` };
        response.writeHead(answer.statusCode!, { ...answer.headers, ...moved });
        answer.pipe(response);
      });
      request.pipe(upstream);
    },
  );
  return { host: `localhost:${await listen(server)}`, certificate };
}

describe("TLS", () => {
  test("with an own authority works where it is named, and is refused where not", async () => {
    const fake = await registry();
    const { host, certificate } = await tlsBefore(fake);
    const dir = home();
    const push = ["push", "./f", `${host}/a/f:1`];
    const unknown = await oci(dir, push);
    expect(unknown.exit).toBe(5);
    expect(unknown.stderr).toMatch(/NETWORK .*signed by nobody whom this host trusts[\s\S]*--ca FILE/);
    expect(fake.asked).toEqual([]);
    expect((await oci(dir, [...push, "--ca", certificate])).exit).toBe(0);
    const own = path.join(dir, ".config/containers/certs.d", host);
    fs.mkdirSync(own, { recursive: true });
    fs.copyFileSync(certificate, path.join(own, "ca.crt"));
    expect((await oci(dir, ["ls", `${host}/a/f`])).stdout).toBe("1\n");
  });

  test("is never left out by itself, for this machine either", async () => {
    const fake = await registry();
    const refused = await oci(home(fake.host), ["ls", `${fake.host}/a/f`]);
    expect(refused.exit).toBe(5);
    expect(refused.stderr).toMatch(/does not speak TLS[\s\S]*--plain-http/);
    expect(fake.asked).toEqual([]);
  });
});

test("a proxy is used where the environment names one, and not for whom it excepts", async () => {
  const fake = await registry();
  const ways: string[] = [];
  const proxy = http.createServer((request, response) => {
    ways.push(request.url!);
    const url = new URL(request.url!);
    const { method, headers } = request;
    const upstream = http.request(
      { hostname: url.hostname, port: url.port, path: url.pathname + url.search, method, headers },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(upstream);
  });
  proxy.on("connect", (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
    ways.push(`CONNECT ${request.url}`);
    const [hostname, port] = request.url!.split(":");
    const upstream = net.connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const one of [upstream, socket]) one.on("error", () => socket.destroy());
  });
  const port = await listen(proxy);
  const env = { http_proxy: `http://127.0.0.1:${port}`, no_proxy: "" };
  const dir = home();
  const push = ["push", "./f", `${fake.host}/a/f:1`, "--plain-http"];
  expect((await oci(dir, push, env)).exit).toBe(0);
  expect(ways.length).toBeGreaterThan(0);
  ways.splice(0);
  expect((await oci(dir, push, { ...env, no_proxy: "127.0.0.1" })).exit).toBe(0);
  expect(ways).toEqual([]);
});

test("a redirect to the storage takes no credentials along, and its signed address is never said", async () => {
  const bytes = Buffer.from("file\n");
  const got: { url: string; authorization: string | undefined }[] = [];
  let broken = false;
  const storage = http.createServer((request, response) => {
    got.push({ url: request.url!, authorization: request.headers.authorization });
    if (broken) response.writeHead(403).end("no");
    else response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  const port = await listen(storage);
  const fake = await registry({ storage: () => `http://127.0.0.1:${port}` });
  // Asks for a password, so that there is one to lose.
  const guard = http.createServer((request, response) => {
    if (request.headers.authorization !== `Basic ${basic}`) {
      request.resume();
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      return;
    }
    const [hostname, target] = fake.host.split(":");
    const { method, url, headers } = request;
    const upstream = http.request({ hostname, port: target, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(upstream);
  });
  const host = `127.0.0.1:${await listen(guard)}`;
  const dir = home(host);
  const ref = `${host}/a/f:1`;
  expect((await oci(dir, ["push", "./f", ref, "--plain-http"])).exit).toBe(0);
  const pulled = await oci(dir, ["pull", ref, "--to", "back", "--plain-http", "--json"]);
  expect(documentOf(pulled)).toMatchObject({ files: [{ digest: `sha256:${digestOf(bytes).hash}` }] });
  expect(got).toEqual([{ url: expect.stringContaining("signature="), authorization: undefined }]);
  broken = true;
  const refused = await oci(dir, ["pull", ref, "--to", "again", "--plain-http"]);
  expect(refused.exit).toBe(5);
  expect(refused.stderr).toMatch(/REGISTRY_REFUSED .*sends us to its storage at 127\.0\.0\.1:\d+, which answers 403/);
});
