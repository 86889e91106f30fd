/**
 * Where names and passwords of registries are kept: `$REGISTRY_AUTH_FILE`, else `config.json` of `$DOCKER_CONFIG` or
 * `~/.docker`: the files that docker, podman, skopeo and oras read and write. What in them is not ours stays.
 */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { callHelper } from "./credential-helper.ts";

export interface Credentials {
  readonly username: string;
  readonly secret: string;
  /** `secret` is an OAuth2 refresh token, not a password. */
  readonly isToken: boolean;
  /** For people: the file or helper that had it. Never the secret. */
  readonly from: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

interface AuthFile {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

/** Absolute, whether it exists or not. */
export function authFilePath(env: Environment): string {
  if (env.REGISTRY_AUTH_FILE) return path.resolve(env.REGISTRY_AUTH_FILE);
  return path.join(env.DOCKER_CONFIG || path.join(env.HOME ?? "/", ".docker"), "config.json");
}

/** What is known for a repository, the most special entry first, or undefined. Throws FORMAT_INVALID, PROGRAM_FAILED. */
export async function findCredentials(
  { host, repository }: { readonly host: string; readonly repository?: string | undefined },
  { env, signal }: { readonly env: Environment; readonly signal?: AbortSignal },
): Promise<Credentials | undefined> {
  const file = authFilePath(env);
  const { auths = {}, credHelpers = {}, credsStore } = readAuthFile(file);
  const helper = credHelpers[host] ?? credsStore;
  if (helper !== undefined && helper !== "") {
    const found = await callHelper(helper, { action: "get", host, env, signal });
    if (found !== undefined) return { ...found, from: `docker-credential-${helper}` };
  }
  for (const key of keysFor(host, repository)) {
    const entry = auths[key];
    const found = entry === undefined ? undefined : decodeEntry(entry);
    if (found !== undefined) return { ...found, from: file };
  }
  return undefined;
}

/** Throws ACCESS_DENIED, DISK_FULL, IO. Says where it was put. */
export async function storeCredentials(
  host: string,
  { username, password, env, signal }: { username: string; password: string; env: Environment; signal?: AbortSignal },
): Promise<string> {
  const file = authFilePath(env);
  const content = readAuthFile(file);
  const helper = content.credHelpers?.[host] ?? content.credsStore;
  if (helper !== undefined && helper !== "") {
    await callHelper(helper, { action: "store", host, env, signal, input: { username, secret: password } });
    return `docker-credential-${helper}`;
  }
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  writeAuthFile(file, { ...content, auths: { ...content.auths, [host]: { auth } } });
  return file;
}

/** False when nothing was known. */
export async function removeCredentials(
  host: string,
  { env, signal }: { env: Environment; signal?: AbortSignal },
): Promise<boolean> {
  const file = authFilePath(env);
  const content = readAuthFile(file);
  const helper = content.credHelpers?.[host] ?? content.credsStore;
  let removed = false;
  if (helper !== undefined && helper !== "") {
    removed = (await callHelper(helper, { action: "get", host, env, signal })) !== undefined;
    if (removed) await callHelper(helper, { action: "erase", host, env, signal });
  }
  const keys = keysFor(host, undefined).filter((key) => Object.hasOwn(content.auths ?? {}, key));
  if (keys.length === 0) return removed;
  const auths = Object.fromEntries(Object.entries(content.auths ?? {}).filter(([key]) => !keys.includes(key)));
  writeAuthFile(file, { ...content, auths });
  return true;
}

/** `host/a/b`, `host/a`, `host`, and as old versions of docker wrote the host. */
const keysFor = (host: string, repository: string | undefined): readonly string[] => {
  const parts = repository?.split("/") ?? [];
  const below = parts.map((_, i) => `${host}/${parts.slice(0, parts.length - i).join("/")}`);
  return [
    ...below,
    host,
    ...["https://", "http://"].flatMap((s) => ["", "/", "/v1/", "/v2/"].map((t) => s + host + t)),
  ];
};

function decodeEntry({ auth, username, password, identitytoken }: AuthEntry): Omit<Credentials, "from"> | undefined {
  const decoded = auth === undefined ? "" : Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = decoded.indexOf(":");
  const name = username ?? (colon === -1 ? "" : decoded.slice(0, colon));
  if (identitytoken) return { username: name, secret: identitytoken, isToken: true };
  const secret = password ?? (colon === -1 ? "" : decoded.slice(colon + 1));
  return name === "" || secret === "" ? undefined : { username: name, secret, isToken: false };
}

function readAuthFile(file: string): AuthFile {
  const bytes = readIfExists(file);
  if (bytes === undefined) return {};
  const fail = () =>
    new BootwrightError("FORMAT_INVALID", `${file}: not a file of registry credentials`, {
      hint: "it is JSON with `auths`; REGISTRY_AUTH_FILE may name another file",
    });
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8") || "{}");
  } catch {
    throw fail(); // Without a cause: the parser's message quotes the file.
  }
  const isMap = (part: unknown, of: "string" | "object") =>
    part === undefined ||
    (typeof part === "object" &&
      part !== null &&
      Object.values(part).every((one) => typeof one === of && one !== null));
  const content = value as AuthFile;
  if (typeof value !== "object" || value === null || !isMap(content.auths, "object")) throw fail();
  if (!isMap(content.credHelpers, "string")) throw fail();
  return content;
}

const writeAuthFile = (file: string, content: AuthFile): void =>
  writeFileAtomic(file, `${JSON.stringify(content, undefined, "\t")}\n`, { mode: 0o600, sync: true });
