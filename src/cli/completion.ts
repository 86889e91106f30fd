/**
 * Completion scripts, made from the table. Commands and flags stand in the script, so that they complete at once; names
 * that only the project knows (images, profiles …) are asked for by `bootwright __complete`.
 */
import type { Command, Flags } from "./command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import { COMMANDS, type TableEntry } from "./table.ts";

export type Shell = "bash" | "zsh" | "fish";

export async function completionScript(shell: Shell): Promise<string> {
  const commands = await Promise.all(COMMANDS.map(async (entry) => ({ entry, command: await entry.load() })));
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

interface Loaded {
  readonly entry: TableEntry;
  readonly command: Command;
}

const names = (commands: readonly Loaded[]): string => commands.map(({ entry }) => entry.name).join(" ");

/** As typed: short and long names, and the negative of booleans. */
function flagWords(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, { short, type }]) => [
    ...(short === undefined ? [] : [`-${short}`]),
    `--${name}`,
    ...(type === "boolean" && name !== "help" && name !== "version" ? [`--no-${name}`] : []),
  ]);
}

function bashScript(commands: readonly Loaded[]): string {
  const cases = commands.map(
    ({ entry, command }) =>
      `    ${entry.name}) flags="${flagWords({ ...command.flags, ...GLOBAL_FLAGS }).join(" ")}" ;;`,
  );
  return `# bash completion for bootwright
_bootwright() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" command="" flags="" word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) command="$word"; break ;; esac
  done
  if [[ -z $command && $cur != -* ]]; then
    COMPREPLY=($(compgen -W "${names(commands)}" -- "$cur"))
    return
  fi
  case "$command" in
${cases.join("\n")}
    *) flags="${flagWords(GLOBAL_FLAGS).join(" ")}" ;;
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    return
  fi
  local IFS=$'\\n'
  COMPREPLY=($(bootwright __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${#COMPREPLY[@]} -gt 0 ]] || compopt -o default 2>/dev/null
}
complete -F _bootwright bootwright
`;
}

function zshScript(commands: readonly Loaded[]): string {
  const list = commands.map(({ entry }) => `    '${entry.name}:${quoteZsh(entry.summary)}'`);
  const cases = commands.map(
    ({ entry, command }) =>
      `    ${entry.name}) flags=(${flagWords({ ...command.flags, ...GLOBAL_FLAGS }).join(" ")}) ;;`,
  );
  return `#compdef bootwright
# zsh completion for bootwright
_bootwright() {
  local -a commands flags values
  commands=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  case "$words[2]" in
${cases.join("\n")}
    *) flags=(${flagWords(GLOBAL_FLAGS).join(" ")}) ;;
  esac
  if [[ $words[CURRENT] == -* ]]; then
    compadd -- $flags
    return
  fi
  values=(\${(f)"$(bootwright __complete \${words[2,CURRENT]} 2>/dev/null)"})
  if (( $#values )); then compadd -- $values; else _files; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _bootwright "$@"; else compdef _bootwright bootwright; fi
`;
}

function fishScript(commands: readonly Loaded[]): string {
  const lines = ["# fish completion for bootwright", "complete -c bootwright -f"];
  for (const { entry } of commands)
    lines.push(`complete -c bootwright -n __fish_use_subcommand -a ${entry.name} -d '${quoteFish(entry.summary)}'`);
  const flagLine = (condition: string, name: string, { short, summary, type }: Flags[string]) =>
    `complete -c bootwright${condition}${short === undefined ? "" : ` -s ${short}`} -l ${name}${type === "boolean" || type === "optional" ? "" : " -r"} -d '${quoteFish(summary)}'`;
  for (const [name, spec] of Object.entries(GLOBAL_FLAGS as Flags)) lines.push(flagLine("", name, spec));
  for (const { entry, command } of commands)
    for (const [name, spec] of Object.entries(command.flags))
      lines.push(flagLine(` -n '__fish_seen_subcommand_from ${entry.name}'`, name, spec));
  lines.push(
    "complete -c bootwright -n 'not __fish_use_subcommand' -a '(set -l words (commandline -opc) (commandline -ct); bootwright __complete $words[2..-1] 2>/dev/null)'",
  );
  return `${lines.join("\n")}\n`;
}

const quoteZsh = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(":", "\\:");

const quoteFish = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
