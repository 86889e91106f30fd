/**
 * argv → values, from the command's own description. An own parser of a hundred lines, because every library tried
 * costs more start-up time than all of `--help` may take, and knows neither the environment layer nor did-you-mean.
 */
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import type { FlagSpec, Flags } from "./command.ts";

export type RawValue = string | boolean | number | readonly string[];

export interface Parsed {
  readonly words: readonly string[];
  readonly rest: readonly string[];
  /** Only flags that were given; lists are always there. */
  readonly flags: Readonly<Record<string, RawValue>>;
}

export interface ParseOptions {
  readonly flags: Flags;
  /** For the hint of errors. */
  readonly command: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Throws USAGE. Flags win over BOOTWRIGHT_<NAME>; a flag may stand anywhere before `--`. */
export function parseArguments(argv: readonly string[], options: ParseOptions): Parsed {
  const words: string[] = [];
  const given: Record<string, RawValue> = {};
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === "--") break;
    if (word.startsWith("--")) i += takeLong(word, argv[i + 1]);
    else if (word.startsWith("-") && word !== "-") i += takeShort(word, argv[i + 1]);
    else words.push(word);
  }
  const fromEnvironment = readEnvironment(options);
  const lists = Object.entries(options.flags).filter(([, spec]) => spec.type === "list");
  const empty = Object.fromEntries(lists.map(([name]) => [name, []]));
  return { words, rest: argv.slice(i + 1), flags: { ...empty, ...fromEnvironment, ...given } };

  /** How many further words were used. */
  function takeLong(word: string, next: string | undefined): number {
    const equals = word.indexOf("=");
    const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
    const value = equals === -1 ? undefined : word.slice(equals + 1);
    const negated = name.startsWith("no-") ? options.flags[name.slice(3)] : undefined;
    if (options.flags[name] === undefined && negated?.type === "boolean" && value === undefined) {
      given[name.slice(3)] = false;
      return 0;
    }
    return take({ name, shown: `--${name}`, value, next });
  }

  function takeShort(word: string, next: string | undefined): number {
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      const name = Object.keys(options.flags).find((key) => options.flags[key]!.short === letter);
      if (name === undefined) throw usage(`unknown flag -${letter}`, options);
      if (options.flags[name]!.type === "boolean") given[name] = true;
      else {
        const attached = word.slice(at + 1).replace(/^=/, "");
        return take({ name, shown: `-${letter}`, value: attached === "" ? undefined : attached, next });
      }
    }
    return 0;
  }

  function take(flag: { name: string; shown: string; value: string | undefined; next: string | undefined }): number {
    const { name, shown } = flag;
    const spec = Object.hasOwn(options.flags, name) ? options.flags[name] : undefined;
    if (spec === undefined) {
      const names = Object.entries(options.flags).flatMap(([key, { type }]) =>
        type === "boolean" ? [key, `no-${key}`] : [key],
      );
      throw usage(`unknown flag ${shown}${didYouMean(name, names).replace(/"(.*)"/, "--$1")}`, options);
    }
    if (spec.type === "boolean") {
      if (flag.value !== undefined)
        throw usage(`${shown} takes no value; write --no-${name} for the opposite`, options);
      given[name] = true;
      return 0;
    }
    if (spec.type === "optional") {
      given[name] = flag.value ?? "all";
      return 0;
    }
    const value = flag.value ?? flag.next;
    if (value === undefined || (flag.value === undefined && value.startsWith("--")))
      throw usage(`${shown} needs a value: ${shown} ${spec.value ?? "VALUE"}`, options);
    const converted = convert(value, { spec, shown, options });
    given[name] = spec.type === "list" ? [...((given[name] as readonly string[] | undefined) ?? []), value] : converted;
    return flag.value === undefined ? 1 : 0;
  }
}

/** The name of the variable that gives a flag's value. */
export const variableOf = (flag: string): string => `BOOTWRIGHT_${flag.replaceAll("-", "_").toUpperCase()}`;

function readEnvironment(options: ParseOptions): Record<string, RawValue> {
  const values: Record<string, RawValue> = {};
  for (const [name, spec] of Object.entries(options.flags)) {
    const value = spec.env ? options.env[variableOf(name)] : undefined;
    if (value === undefined || value === "") continue;
    values[name] = spec.type === "list" ? value.split(",") : convert(value, { spec, shown: variableOf(name), options });
  }
  return values;
}

function convert(
  value: string,
  { spec, shown, options }: { spec: FlagSpec; shown: string; options: ParseOptions },
): string | boolean | number {
  if (spec.choices !== undefined && !spec.choices.includes(value)) {
    const hint = didYouMean(value, spec.choices) || `; one of ${spec.choices.join(", ")}`;
    throw usage(`${shown} cannot be "${value}"${hint}`, options);
  }
  if (spec.type === "integer") {
    if (!/^\d{1,9}$/.test(value)) throw usage(`${shown} needs a whole number, not "${value}"`, options);
    return Number(value);
  }
  if (spec.type === "boolean") {
    if (["1", "true", "yes"].includes(value)) return true;
    if (["0", "false", "no"].includes(value)) return false;
    throw usage(`${shown} must be 1 or 0, not "${value}"`, options);
  }
  return value;
}

export const usage = (message: string, { command }: Pick<ParseOptions, "command">): BootwrightError =>
  new BootwrightError("USAGE", message, { hint: `bootwright help${command === "" ? "" : ` ${command}`}` });
