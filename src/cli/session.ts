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
    storeDir: path.resolve(from, flags.store ?? defaultStore(env)),
    offline: flags.offline ?? false,
    frozen: flags.frozen ?? false,
    ...(flags.jobs === undefined ? {} : { jobs: flags.jobs }),
    interactive: flags.input ?? interactive,
    emit,
    signal,
  };
}

function defaultStore(env: SessionInput["env"]): string {
  const cache =
    env.XDG_CACHE_HOME && path.isAbsolute(env.XDG_CACHE_HOME)
      ? env.XDG_CACHE_HOME
      : path.join(env.HOME ?? "/", ".cache");
  return path.join(cache, "bootwright");
}
