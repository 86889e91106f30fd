/** Checks a name and password with a registry and keeps them where container tools do; forgets them again. */
import { BootwrightError } from "../base/errors.ts";
import { closeConnections } from "../base/http.ts";
import { removeCredentials, storeCredentials } from "../oci/auth-file.ts";
import { parseHost } from "../oci/reference.ts";
import { openRegistry, type RegistryAccess } from "./registries.ts";
import type { Report, Session } from "./session.ts";

export interface OciLoginOptions extends RegistryAccess {
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

export async function ociLogin(session: Session, options: OciLoginOptions): Promise<Report> {
  const host = parseHost(options.host);
  const { username, password } = options;
  if (username === "" || username.includes(":"))
    throw new BootwrightError("USAGE", "a user name has at least one character, and no colon");
  if (password === "") throw new BootwrightError("USAGE", "the password is empty");
  const credentials = { username, secret: password, isToken: false, from: "what was typed" };
  const registry = openRegistry(session, host, { ...options, credentials });
  try {
    const answer = await registry.call({
      method: "GET",
      path: "",
      scopes: [],
      what: `log in to ${host}`,
      expect: [200],
    });
    await answer.body.dump();
  } finally {
    await closeConnections();
  }
  if (!registry.wantsLogin)
    session.emit({ type: "warning", text: `${host} asks nobody for a password, so it was not checked` });
  const { env, signal } = session;
  const kept = await storeCredentials(host, { username, password, env, signal });
  return { data: { host, username, kept }, text: `logged in to ${host} as ${username}`, summary: `kept in ${kept}` };
}

export async function ociLogout(session: Session, { host: text }: { host: string }): Promise<Report> {
  const host = parseHost(text);
  const { env, signal } = session;
  const removed = await removeCredentials(host, { env, signal });
  return {
    data: { host, removed },
    text: removed ? `logged out of ${host}` : `nothing was kept for ${host}`,
  };
}
