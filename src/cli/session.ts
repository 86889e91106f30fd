/** From global flags and the environment to the session that every verb gets. */
import path from "node:path";
import type { Session } from "../api/session.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import type { FlagValues } from "./command.ts";
import type { GLOBAL_FLAGS } from "./global-flags.ts";

export type GlobalValues = FlagValues<typeof GLOBAL_FLAGS>;

export interface SessionInput {
  readonly flags: GlobalValues;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly interactive: boolean;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export function createSession({ flags, cwd, env, interactive, emit, signal }: SessionInput): Session {
  const from = path.resolve(cwd, flags.cwd ?? "");
  if (flags.jobs === 0) throw new BootwrightError("USAGE", "--jobs must be at least 1");
  return {
    cwd: from,
    ...(flags.config === undefined ? {} : { configFile: path.resolve(from, flags.config) }),
    profiles: flags.profile,
    env,
    storeDir: path.resolve(from, flags.store ?? userDirectory(env, { variable: "XDG_CACHE_HOME", below: ".cache" })),
    dataDir: path.resolve(
      from,
      env.BOOTWRIGHT_DATA ?? userDirectory(env, { variable: "XDG_DATA_HOME", below: ".local/share" }),
    ),
    offline: flags.offline ?? false,
    frozen: flags.frozen ?? false,
    ...(flags.jobs === undefined ? {} : { jobs: flags.jobs }),
    interactive: flags.input ?? interactive,
    emit,
    signal,
  };
}

/** Our directory as the XDG base directory specification has it: relative paths count for nothing. */
function userDirectory(env: SessionInput["env"], { variable, below }: { variable: string; below: string }): string {
  const set = env[variable];
  const base = set && path.isAbsolute(set) ? set : path.join(env.HOME ?? "/", below);
  return path.join(base, "bootwright");
}
