/** Help texts, made from the table. */
import type { ArgSpec, Command, Flags } from "./command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import { variableOf } from "./parse.ts";
import { COMMANDS, type TableEntry } from "./table.ts";

/** At most 24 lines: it fits the smallest terminal. */
export function rootHelp(version: string): string {
  return `bootwright ${version}: custom Linux from one typed file

Usage: bootwright COMMAND [arguments] [flags]

Examples:
  bootwright init my-os         make a project
  bootwright build              build its images into out/
  bootwright boot -- uname -r   boot one, run a command in it

Commands:
${columns(COMMANDS.filter((one) => one.common).map((one) => [one.name, one.summary]))}

More: bootwright help --all · bootwright help COMMAND · bootwright help config
`;
}

/** Every command with its flags. */
export async function fullHelp(version: string): Promise<string> {
  const parts = [`bootwright ${version}: custom Linux from one typed file\n`];
  for (const entry of COMMANDS) {
    const command = await entry.load();
    parts.push(`${usageLine(entry, command)}\n    ${entry.summary}`);
    if (Object.keys(command.flags).length > 0) parts.push(flagLines(command.flags, "      "));
    parts.push("");
  }
  return `${parts.join("\n")}\nFlags of every command:\n${flagLines(GLOBAL_FLAGS)}\n`;
}

export function commandHelp(entry: TableEntry, command: Command): string {
  const parts = [
    `${usageLine(entry, command)}\n\n${capital(entry.summary)}.${command.about ? ` ${command.about}` : ""}`,
  ];
  parts.push(`Examples:\n${columns(command.examples.map(({ run, says }) => [run, says]))}`);
  const args: [string, string][] = command.args.map((arg) => [argText(arg), argSummary(arg)]);
  if (command.rest !== undefined) args.push(["-- …", command.rest]);
  if (args.length > 0) parts.push(`Arguments:\n${columns(args)}`);
  if (Object.keys(command.flags).length > 0) parts.push(`Flags:\n${flagLines(command.flags)}`);
  parts.push(`Flags of every command:\n${flagLines(GLOBAL_FLAGS)}`);
  return `${parts.join("\n\n")}\n`;
}

export const usageLine = (entry: Pick<TableEntry, "name">, command: Command): string =>
  [
    `bootwright ${entry.name}`,
    ...command.args.map(argText),
    ...(Object.keys(command.flags).length > 0 ? ["[flags]"] : []),
    ...(command.rest === undefined ? [] : ["[-- …]"]),
  ].join(" ");

export function argText({ name, required, many }: ArgSpec): string {
  const text = `${name.toUpperCase()}${many ? "…" : ""}`;
  return required ? text : `[${text}]`;
}

export const argSummary = ({ summary, choices }: ArgSpec): string =>
  choices === undefined ? summary : `${summary}: ${choices.join(", ")}`;

export function flagRows(flags: Flags): [string, string][] {
  return Object.entries(flags).map(([name, spec]) => {
    const value =
      spec.type === "boolean" ? "" : spec.type === "optional" ? `[=${spec.value}]` : ` ${spec.value ?? "VALUE"}`;
    const choices = spec.choices === undefined ? "" : `: ${spec.choices.join(", ")}`;
    const variable = spec.env ? ` [${variableOf(name)}]` : "";
    return [`${spec.short ? `-${spec.short}, ` : "    "}--${name}${value}`, `${spec.summary}${choices}${variable}`];
  });
}

const flagLines = (flags: Flags, indent = "  "): string => columns(flagRows(flags), indent);

function columns(rows: readonly (readonly [string, string])[], indent = "  "): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${indent}${left.padEnd(width)}   ${right}`).join("\n");
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
