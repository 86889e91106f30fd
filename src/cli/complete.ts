/** `bootwright __complete WORDS…`: what the last word may become, one a line. It never fails: silence is an answer. */
import path from "node:path";
import { ERROR_CODES, EXIT } from "../base/error-codes.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import type { Completion, Flags } from "./command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import type { MainInput } from "./main.ts";
import { COMMANDS, findCommand } from "./table.ts";
import { topicNames } from "./topics.ts";

export async function answerCompletion(input: MainInput): Promise<number> {
  const words = input.argv.slice(input.argv.indexOf("__complete") + 1);
  const current = words.at(-1) ?? "";
  const candidates = await candidatesFor(words.slice(0, -1), input).catch(() => []);
  for (const candidate of candidates) if (candidate.startsWith(current)) input.stdout.write(`${candidate}\n`);
  return EXIT.ok;
}

async function candidatesFor(before: readonly string[], input: MainInput): Promise<readonly string[]> {
  const name = before.find((word) => !word.startsWith("-"));
  const entry = name === undefined ? undefined : findCommand(name);
  if (entry === undefined) return COMMANDS.map((one) => one.name);
  const command = await entry.load();
  const flags: Flags = { ...GLOBAL_FLAGS, ...command.flags };
  const last = before.at(-1) ?? "";
  const flag = Object.entries(flags).find(([key, { short }]) => last === `--${key}` || last === `-${short}`)?.[1];
  if (flag !== undefined && flag.type !== "boolean" && flag.type !== "optional")
    return flag.choices ?? known(flag.complete, before, input);
  const given = before.slice(before.indexOf(entry.name) + 1).filter((word) => !word.startsWith("-"));
  const arg = command.args[given.length] ?? (command.args.at(-1)?.many ? command.args.at(-1) : undefined);
  return arg?.choices ?? known(arg?.complete, before, input);
}

async function known(
  kind: Completion | undefined,
  before: readonly string[],
  input: MainInput,
): Promise<readonly string[]> {
  switch (kind) {
    case "code":
      return Object.keys(ERROR_CODES);
    case "command":
      return [...COMMANDS.map((one) => one.name), ...topicNames()];
    case "image":
    case "machine":
      return (await project(before, input)).names[kind];
    case "profile":
      return (await project(before, input)).names.profile;
    default:
      return [];
  }
}

async function project(before: readonly string[], input: MainInput) {
  const wordAfter = (...flags: string[]) => before[before.findIndex((word) => flags.includes(word)) + 1];
  const has = (...flags: string[]) => before.some((word) => flags.includes(word));
  const cwd = path.resolve(input.cwd, has("-C", "--cwd") ? (wordAfter("-C", "--cwd") ?? "") : "");
  const { findConfig } = await import("../config/find.ts");
  const { readConfig } = await import("../config/read.ts");
  const file = findConfig(cwd, has("-c", "--config") ? wordAfter("-c", "--config") : undefined);
  const keys = (value: unknown): readonly string[] =>
    typeof value === "object" && value !== null ? Object.keys(value) : [];
  // As written: completion must work while the config still has mistakes.
  const { value } = await readConfig(file);
  const written = value as Partial<Record<keyof ResolvedConfig | "profiles" | "image" | "machine", unknown>>;
  return {
    names: {
      image: written.image === undefined ? keys(written.images) : ["default"],
      machine: written.machine === undefined ? keys(written.machines) : ["default"],
      profile: keys(written.profiles),
    },
  };
}
