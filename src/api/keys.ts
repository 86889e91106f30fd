/** Makes the keys that a config names and that are not there yet. */
import fs from "node:fs";
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { ensureDir } from "../base/fs.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { createKey, type NewKey } from "../sign/create-key.ts";
import { keyFiles, passphraseOf } from "../sign/key-files.ts";
import { openProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

/** `names`: of `keys`; default all. A key that is there stays as it is. */
export async function keysInit(session: Session, { names }: { names: readonly string[] }): Promise<Report> {
  await using project = await openProject(session, { readonly: true });
  const { config } = project;
  const all = Object.keys(config.keys);
  if (all.length === 0)
    throw new BootwrightError("CONFIG_INVALID", "the config names no keys", {
      hint: 'add: keys: { pk: { file: "./keys/pk" }, kek: { file: "./keys/kek" }, db: { file: "./keys/db" } }',
    });
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new BootwrightError("NAME_UNKNOWN", `no key is named "${unknown}"`, { hint: `keys: ${all.join(", ")}` });
  const keys = (names.length === 0 ? all : names).map((name) => initKey(config, name));
  const shown = (file: string): string => path.relative(session.cwd, file);
  return {
    data: { keys: keys.map((key) => ({ ...key })) },
    text: keys
      .map((key) =>
        "kept" in key
          ? `kept ${key.name}: ${key.kept}`
          : `made ${key.name}: secret ${shown(key.secret)}, public ${shown(key.public)}`,
      )
      .join("\n"),
    summary: keys.some((key) => !("kept" in key))
      ? "keep the secret keys off version control and build machines; commit the public parts"
      : "",
  };
}

type InitializedKey = { readonly name: string } & (NewKey | { readonly kept: string });

function initKey(config: ResolvedConfig, name: string): InitializedKey {
  const key = config.keys[name]!;
  if (key.pkcs11 !== undefined) return { name, kept: "its secret lies in a token" };
  const file = path.resolve(config.dir, key.file);
  const files = keyFiles(file);
  if (fs.existsSync(files.secret)) return { name, kept: `${keyFiles(key.file).secret} is there` };
  if (fs.existsSync(files.certificate))
    return { name, kept: `${keyFiles(key.file).certificate} is there; its secret is elsewhere` };
  ensureDir(path.dirname(file));
  ignoreSecrets(path.dirname(file));
  const made = createKey(file, {
    type: key.type ?? (name === "catalog" ? "ed25519" : "rsa2048"),
    subject: key.subject ?? `${config.name} ${name}`.slice(0, 64),
    days: key.days,
    now: systemClock.now(),
    ...passphraseOf(key, config.dir),
  });
  return { name, ...made };
}

/** So that a secret key is not committed by `git add .`. */
function ignoreSecrets(dir: string): void {
  const file = path.join(dir, ".gitignore");
  if (!fs.existsSync(file)) fs.writeFileSync(file, "*.key\n");
}
