/** Makes the keys that a config names and that are not there yet. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { ensureDir } from "../base/fs.ts";
import { createSigningKey } from "../sign/signing-key.ts";
import { openProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

/** `names`: of `keys`; default all. A key that is there stays as it is. */
export async function keysInit(session: Session, { names }: { names: readonly string[] }): Promise<Report> {
  await using project = await openProject(session, { readonly: true });
  const { keys, dir } = project.config;
  const all = Object.keys(keys);
  if (all.length === 0)
    throw new BootwrightError("CONFIG_INVALID", "the config names no keys", {
      hint: 'add: keys: { catalog: { file: "./keys/catalog" } }',
    });
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new BootwrightError("NAME_UNKNOWN", `no key is named "${unknown}"`, { hint: `keys: ${all.join(", ")}` });
  const shown = (file: string): string => path.relative(session.cwd, file);
  const made = (names.length === 0 ? all : names).map((name) => {
    const file = path.resolve(dir, keys[name]!.file);
    if (fs.existsSync(`${file}.key`)) return { name, made: false, secret: `${file}.key`, public: `${file}.pub` };
    ensureDir(path.dirname(file));
    ignoreSecrets(path.dirname(file));
    const { number, ...files } = createSigningKey(file);
    return { name, made: true, number, ...files };
  });
  return {
    data: { keys: made },
    text: made
      .map((key) =>
        key.made
          ? `made ${key.name}: secret ${shown(key.secret)}, public ${shown(key.public)}`
          : `kept ${key.name}: ${shown(key.secret)} is there`,
      )
      .join("\n"),
    summary: made.some((key) => key.made)
      ? "keep the secret keys off version control and build machines; commit the public ones"
      : "",
  };
}

/** So that a secret key is not committed by `git add .`. */
function ignoreSecrets(dir: string): void {
  const file = path.join(dir, ".gitignore");
  if (!fs.existsSync(file)) fs.writeFileSync(file, "*.key\n");
}
