/**
 * A token service as registries have one (Docker's token protocol): Basic for the password, or OAuth2 with "NAME:PASSWORD" as
 * the refresh token; RS256 tokens whose certificate travels in `x5c`. Says what it was asked.
 */
import { execFileSync } from "node:child_process";
import { createPrivateKey, sign, X509Certificate } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll } from "vitest";
import { needProgram } from "./need-program.ts";
import { temporaryDir } from "./test-session.ts";

export interface Account {
  readonly password: string;
  /** Repository → actions. "*" is any. */
  readonly rights: Readonly<Record<string, readonly string[]>>;
}

export interface TokenServer {
  readonly auth: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificate: string;
  };
  /** Scopes of each token that was asked for. */
  readonly asked: string[][];
  /** Seconds that new tokens last; the registry takes none that is older. */
  lasts: number;
}

const running: http.Server[] = [];

afterAll(() => {
  for (const server of running.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const SERVICE = "registry.example.org";
const ISSUER = "tests";

/** `anonymous` is what those without a password may do. */
export async function tokenServer(
  accounts: Readonly<Record<string, Account>>,
  anonymous: Account["rights"] = {},
): Promise<TokenServer> {
  const dir = temporaryDir();
  const [keyFile, certificate] = [path.join(dir, "key.pem"), path.join(dir, "cert.pem")];
  execFileSync(
    needProgram("openssl", "openssl"),
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests", "-keyout", keyFile, "-out", certificate],
    { stdio: "ignore" },
  );
  const key = createPrivateKey(fs.readFileSync(keyFile));
  const x5c = [new X509Certificate(fs.readFileSync(certificate)).raw.toString("base64")];
  const asked: string[][] = [];
  const state = { lasts: 300 };
  const server = http.createServer(async (request, response) => {
    const form = request.method === "POST" ? new URLSearchParams(await textOf(request)) : undefined;
    const scopes = (form ?? new URL(request.url!, "http://host").searchParams)
      .getAll("scope")
      .flatMap((text) => text.split(" "));
    asked.push(scopes);
    const [name = "", password = ""] = (
      form === undefined
        ? Buffer.from((request.headers.authorization ?? "").replace("Basic ", ""), "base64").toString()
        : isRefresh(form)
          ? form.get("refresh_token")!
          : ":"
    ).split(":");
    const account = accounts[name];
    if ((form !== undefined || request.headers.authorization !== undefined) && account?.password !== password) {
      response.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}');
      return;
    }
    const rights = account?.rights ?? anonymous;
    const access = scopes.flatMap((scope) => {
      const [, repository = "", actions = ""] = /^repository:([^:]*):(.*)$/.exec(scope) ?? [];
      const allowed = rights[repository] ?? rights["*"] ?? [];
      const granted = actions.split(",").filter((action) => allowed.includes(action));
      return granted.length === 0 ? [] : [{ type: "repository", name: repository, actions: granted }];
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      ...{ iss: ISSUER, aud: SERVICE, sub: name, jti: String(asked.length), access },
      ...{ iat: now, nbf: now - 5, exp: now + state.lasts },
    };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "RS256", typ: "JWT", x5c })}.${part(claims)}`;
    const token = `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ [form === undefined ? "token" : "access_token"]: token, expires_in: Math.max(state.lasts, 60) }),
    );
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  running.push(server);
  const { port } = server.address() as AddressInfo;
  return {
    auth: { realm: `http://127.0.0.1:${port}/token`, service: SERVICE, issuer: ISSUER, certificate },
    asked,
    set lasts(seconds: number) {
      state.lasts = seconds;
    },
    get lasts() {
      return state.lasts;
    },
  };
}

const isRefresh = (form: URLSearchParams): boolean =>
  form.get("grant_type") === "refresh_token" && form.get("service") === SERVICE && form.has("client_id");

async function textOf(request: http.IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
