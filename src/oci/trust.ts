/**
 * Whom a registry's certificate may be signed by, beside the system's authorities: a file that is named, else what container
 * tools read: `certs.d/HOST[:PORT]/*.crt` of the user and of the system.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import type { Environment } from "./auth-file.ts";

/** PEM, or undefined. Throws PATH_MISSING, FORMAT_INVALID. */
export function trustedCertificates(
  host: string,
  { file, env }: { readonly file: string | undefined; readonly env: Environment },
): string | undefined {
  if (file !== undefined) {
    const pem = readIfExists(file)?.toString("latin1");
    if (pem === undefined) throw new BootwrightError("PATH_MISSING", `${file} does not exist`);
    if (!pem.includes("-----BEGIN CERTIFICATE-----"))
      throw new BootwrightError("FORMAT_INVALID", `${file} holds no certificate in PEM`);
    return pem;
  }
  const roots = [path.join(env.HOME ?? "/", ".config/containers"), "/etc/containers", "/etc/docker"];
  const found = roots.flatMap((root) => certificatesIn(path.join(root, "certs.d", host)));
  return found.length === 0 ? undefined : found.join("\n");
}

function certificatesIn(dir: string): readonly string[] {
  let names: readonly string[];
  try {
    names = fs.readdirSync(dir).filter((name) => name.endsWith(".crt"));
  } catch {
    return [];
  }
  return [...names].sort().flatMap((name) => readIfExists(path.join(dir, name))?.toString("latin1") ?? []);
}
