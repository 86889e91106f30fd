/** What every verb is given: plain data and two channels. Nothing below `cli/` reads argv, the environment or the terminal. */
import type { Emit } from "../base/events.ts";
import type { Json } from "../base/json.ts";

export interface Session {
  /** Absolute. */
  readonly cwd: string;
  /** Config named by the user; default: searched for upwards from `cwd`. */
  readonly configFile?: string;
  readonly profiles: readonly string[];
  /** Where the config's `{env:NAME}` is looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of the store. */
  readonly storeDir: string;
  /** Absolute path of what this user keeps: imported and pulled bundles, and which catalogs were seen. Not a cache. */
  readonly dataDir: string;
  /** Fetch nothing. */
  readonly offline: boolean;
  /** Fail when the lock would change. */
  readonly frozen: boolean;
  /** Stages at once; default: what the machine has. */
  readonly jobs?: number;
  /** Questions may be asked. */
  readonly interactive: boolean;
  readonly emit: Emit;
  /** Aborts with an INTERRUPTED error at the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** What a verb found or did, for people and for programs. */
export interface Report {
  /** The members of the one JSON document, beside `schema` and `ok`. */
  readonly data: { readonly [key: string]: Json };
  /** For stdout; nothing is printed when it is empty. */
  readonly text: string;
  /** For stdout with --quiet; default: nothing. */
  readonly quiet?: string;
  /** For stderr, after the result: totals and the next command to run. */
  readonly summary?: string;
  /** Default 0: DIFFERENT's code, or a guest command's. */
  readonly exit?: number;
}
