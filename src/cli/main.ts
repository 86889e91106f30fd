/** The program: argv → command → result, error or help, as text or as one JSON document, and an exit code. */
import type { Report } from "../api/session.ts";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError, isBootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { didYouMean } from "../base/suggest.ts";
import type { Command, Flags } from "./command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import { type Parsed, parseArguments, usage } from "./parse.ts";
import type { Terminal } from "./screen.ts";
import type { GlobalValues } from "./session.ts";
import { COMMANDS, findCommand, type TableEntry } from "./table.ts";

export interface MainInput extends Terminal {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly stdinIsTTY: boolean;
}

export async function main(input: MainInput): Promise<number> {
  const { argv, env } = input;
  if (isRootHelp(argv)) {
    const { rootHelp } = await import("./help.ts");
    const { packageVersion } = await import("../base/own-package.ts");
    input.stdout.write(rootHelp(packageVersion()));
    return EXIT.ok;
  }
  let entry: TableEntry | undefined;
  let parsed: Parsed | undefined;
  try {
    const name = commandName(argv);
    if (name === "__complete") return await (await import("./complete.ts")).answerCompletion(input);
    entry = findEntry(name, argv);
    const command = await entry.load();
    parsed = parseArguments(argv, { flags: { ...GLOBAL_FLAGS, ...command.flags }, command: entry.name, env });
    if (parsed.flags.help === true) return await printHelp(input, entry, command);
    if (parsed.flags.version === true && entry.name !== "version") {
      entry = findCommand("version")!;
      return await runCommand(input, { entry, command: await entry.load(), parsed: { ...parsed, words: [] } });
    }
    return await runCommand(input, { entry, command, parsed });
  } catch (error) {
    return await fail(input, error, { entry, flags: parsed?.flags });
  }
}

/** The first word that is not a flag or a flag's value. */
function commandName(argv: readonly string[]): string | undefined {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === "--") return undefined;
    if (!word.startsWith("-")) return word;
    const flag = Object.entries(GLOBAL_FLAGS as Flags).find(
      ([name, { short }]) => word === `--${name}` || word === `-${short}`,
    );
    if (flag !== undefined && !["boolean", "optional"].includes(flag[1].type)) i++;
  }
  return undefined;
}

function findEntry(name: string | undefined, argv: readonly string[]): TableEntry {
  if (name === undefined && argv.some((word) => word === "-v" || word === "--version")) return findCommand("version")!;
  if (name === undefined) return findCommand("help")!;
  const entry = findCommand(name);
  if (entry !== undefined) return entry;
  const names = COMMANDS.map((one) => one.name);
  throw usage(`unknown command "${name}"${didYouMean(name, names) || `; commands are ${names.join(", ")}`}`, {
    command: "",
  });
}

const isRootHelp = (argv: readonly string[]): boolean =>
  argv.length === 0 || (argv.length === 1 && ["help", "-h", "--help"].includes(argv[0]!));

async function printHelp(input: MainInput, entry: TableEntry, command: Command): Promise<number> {
  const { commandHelp } = await import("./help.ts");
  input.stdout.write(commandHelp(entry, command));
  return EXIT.ok;
}

interface Invocation {
  readonly entry: TableEntry;
  readonly command: Command;
  readonly parsed: Parsed;
}

async function runCommand(input: MainInput, { entry, command, parsed }: Invocation): Promise<number> {
  const flags = parsed.flags as unknown as GlobalValues;
  const args = argumentsOf(parsed.words, { entry, command });
  if (command.rest === undefined && parsed.rest.length > 0)
    throw usage("nothing may stand after --", { command: entry.name });
  const { readScreen } = await import("./screen.ts");
  const { createReporter } = await import("../reporters/create.ts");
  const { createSession } = await import("./session.ts");
  const { listenForInterrupts } = await import("./interrupt.ts");
  const screen = readScreen(input, flags.color);
  const { env } = input;
  const reporter = await createReporter(screen, {
    progress: flags.progress ?? (flags.quiet || flags.json ? "quiet" : "auto"),
    ci: isTrue(env.CI),
    github: isTrue(env.GITHUB_ACTIONS),
    debug: flags.debug !== undefined,
  });
  const interruption = listenForInterrupts((exit) => {
    reporter.close();
    process.exit(exit);
  });
  try {
    const session = createSession({
      flags,
      cwd: input.cwd,
      env,
      interactive: input.stdinIsTTY && screen.isTTY && !isTrue(env.CI),
      // With --json, stdout holds one document and nothing else.
      emit: flags.json ? withoutConsole(reporter.event, flags) : reporter.event,
      signal: interruption.signal,
    });
    const report = await command.run({
      args,
      flags: parsed.flags as never,
      rest: parsed.rest,
      session,
      screen,
      resultOnly: flags.json === true || flags.quiet === true,
    });
    reporter.close();
    print(input, entry, { report, flags });
    return report.exit ?? EXIT.ok;
  } catch (error) {
    reporter.close();
    const exit = await fail(input, error, { entry, flags: parsed.flags });
    return interruption.exit() ?? exit;
  }
}

const withoutConsole =
  (emit: Emit, { progress }: Pick<GlobalValues, "progress">): Emit =>
  (event) => {
    if (event.type !== "machine.console" || progress === "json") emit(event);
  };

function argumentsOf(
  words: readonly string[],
  { entry, command }: Pick<Invocation, "entry" | "command">,
): readonly string[] {
  const args = words[0] === entry.name ? words.slice(1) : words;
  const required = command.args.filter((arg) => arg.required);
  const missing = required[args.length];
  if (missing !== undefined)
    throw usage(`${entry.name} needs ${missing.name.toUpperCase()}: ${missing.summary}`, { command: entry.name });
  if (args.length > command.args.length && !command.args.at(-1)?.many)
    throw usage(`"${args[command.args.length]}" is one argument too many`, { command: entry.name });
  args.forEach((value, i) => {
    const choices = command.args[i]?.choices;
    if (choices === undefined || choices.includes(value)) return;
    throw usage(
      `unknown ${command.args[i]!.name} "${value}"${didYouMean(value, choices) || `; one of ${choices.join(", ")}`}`,
      { command: entry.name },
    );
  });
  return args;
}

function print(input: MainInput, entry: TableEntry, { report, flags }: { report: Report; flags: GlobalValues }): void {
  if (flags.json) {
    const ok = (report.exit ?? EXIT.ok) === EXIT.ok;
    input.stdout.write(`${JSON.stringify({ schema: `bootwright.${entry.name}/1`, ok, ...report.data })}\n`);
    return;
  }
  const text = flags.quiet ? (report.quiet ?? "") : report.text;
  if (text !== "") input.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  if (report.summary && !flags.quiet) input.stderr.write(`${report.summary}\n`);
}

async function fail(
  input: MainInput,
  error: unknown,
  { entry, flags }: { entry: TableEntry | undefined; flags: Parsed["flags"] | undefined },
): Promise<number> {
  const { errorData, renderError } = await import("../reporters/error.ts");
  const { readScreen } = await import("./screen.ts");
  const view = { cwd: input.cwd, debug: flags?.debug !== undefined || isTrue(input.env.BOOTWRIGHT_DEBUG) };
  // Before the flags could be parsed, what was typed decides.
  const json = flags === undefined ? input.argv.includes("--json") : flags.json === true;
  const screen = readScreen(input, typeof flags?.color === "boolean" ? flags.color : undefined);
  if (json) {
    const document = { schema: `bootwright.${entry?.name ?? "error"}/1`, ok: false, error: errorData(error, view) };
    input.stdout.write(`${JSON.stringify(document)}\n`);
  }
  input.stderr.write(renderError(screen, error, view));
  if (isTrue(input.env.GITHUB_ACTIONS)) {
    const { errorAnnotation } = await import("../reporters/github.ts");
    const known = isBootwrightError(error) ? error : new BootwrightError("USAGE", String(error));
    for (const issue of known.issues.length > 0 ? known.issues : [known])
      input.stderr.write(errorAnnotation(issue.message, issue.location));
  }
  return isBootwrightError(error) ? error.exit : EXIT.bug;
}

const isTrue = (value: string | undefined): boolean => value !== undefined && !["", "0", "false"].includes(value);
