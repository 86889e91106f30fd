/** What the environment and the shared files of AWS tools say of an object store: where it is, and who we are there. */
import path from "node:path";
import { readIfExists } from "../base/fs.ts";
import { type IniSections, parseIni } from "./ini.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface S3Profile {
  /** "default", or $AWS_PROFILE. */
  readonly name: string;
  /** True when $AWS_PROFILE names it. */
  readonly chosen: boolean;
  /** A setting of the profile: first of the credentials' file, then of the config's. */
  readonly get: (setting: string) => string | undefined;
  /** Whether either file has it. */
  readonly exists: boolean;
  readonly files: readonly string[];
}

export function loadProfile(env: Environment): S3Profile {
  const name = env.AWS_PROFILE || "default";
  const home = path.join(env.HOME ?? "/", ".aws");
  const files = {
    credentials: env.AWS_SHARED_CREDENTIALS_FILE || path.join(home, "credentials"),
    config: env.AWS_CONFIG_FILE || path.join(home, "config"),
  };
  const sections = [
    loadIni(files.credentials).get(name),
    loadIni(files.config).get(name === "default" ? name : `profile ${name}`),
  ];
  return {
    name,
    chosen: Boolean(env.AWS_PROFILE),
    get: (setting) => sections.map((section) => section?.get(setting)).find((value) => value),
    exists: sections.some((section) => section !== undefined),
    files: [files.credentials, files.config],
  };
}

const loadIni = (file: string): IniSections => parseIni(readIfExists(file)?.toString("utf8") ?? "");
