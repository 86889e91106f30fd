/** What a command is. The table, the parser, help, completion and the reference page are all made from this. */
import type { Report, Session } from "../api/session.ts";
import type { Screen } from "../reporters/screen.ts";

export interface FlagSpec {
  /** "optional": `--debug` or `--debug=scope`. "list": may be given several times. */
  readonly type: "boolean" | "string" | "integer" | "optional" | "list";
  readonly summary: string;
  readonly short?: string;
  /** What help shows for the value. */
  readonly value?: string;
  readonly choices?: readonly string[];
  /** Also read from BOOTWRIGHT_<NAME>. */
  readonly env?: boolean;
  readonly complete?: Completion;
}

export interface ArgSpec {
  readonly name: string;
  readonly summary: string;
  readonly required?: boolean;
  readonly many?: boolean;
  readonly choices?: readonly string[];
  readonly complete?: Completion;
}

/** What a value may be completed with. */
export type Completion = "image" | "machine" | "profile" | "code" | "command" | "file" | "directory";

export type Flags = Readonly<Record<string, FlagSpec>>;

export type FlagValue<S extends FlagSpec> = S["type"] extends "list"
  ? readonly string[]
  :
      | (S["type"] extends "boolean"
          ? boolean
          : S["type"] extends "integer"
            ? number
            : S extends { readonly choices: readonly (infer C)[] }
              ? C
              : string)
      | undefined;

export type FlagValues<F extends Flags> = { readonly [K in keyof F]: FlagValue<F[K]> };

export interface Example {
  readonly run: string;
  readonly says: string;
}

export interface CommandContext<F extends Flags> {
  readonly args: readonly string[];
  readonly flags: FlagValues<F>;
  /** What stood after `--`. */
  readonly rest: readonly string[];
  readonly session: Session;
  readonly screen: Screen;
  /** --json or --quiet: only the result may be written. */
  readonly resultOnly: boolean;
}

export interface Command<F extends Flags = Flags> {
  readonly args: readonly ArgSpec[];
  readonly flags: F;
  readonly examples: readonly Example[];
  /** Takes words after `--`; what they are. */
  readonly rest?: string;
  /** More than one sentence, for the command's own page. */
  readonly about?: string;
  /** Loads what it needs by itself: reading a command's flags must stay cheap. */
  readonly run: (context: CommandContext<F>) => Promise<Report>;
}

/** Keeps the flags' literal types for `run`, and forgets them for the table. */
export const defineCommand = <const F extends Flags>(command: Command<F>): Command => command as unknown as Command;
