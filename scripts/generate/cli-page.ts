/** docs/reference/cli.md, from the command table. */
import type { Flags } from "../../src/cli/command.ts";
import { GLOBAL_FLAGS } from "../../src/cli/global-flags.ts";
import { argSummary, argText, flagRows, usageLine } from "../../src/cli/help.ts";
import { COMMANDS } from "../../src/cli/table.ts";

export async function cliPage(): Promise<string> {
  const parts = [
    "# Command line reference\n\nMade from the command table by `npm run generate`; do not edit.\n" +
      "stdout carries the result only; everything else goes to stderr. Flags win over environment variables, those over the config.\n",
    `## Flags of every command\n\n${flagTable(GLOBAL_FLAGS)}`,
  ];
  for (const entry of COMMANDS) {
    const command = await entry.load();
    parts.push(
      `## ${entry.name}\n\n\`\`\`\n${usageLine(entry, command)}\n\`\`\`\n\n${capital(entry.summary)}.${command.about ? ` ${command.about}` : ""}\n`,
    );
    if (command.args.length > 0)
      parts.push(
        table(
          ["argument", "meaning"],
          command.args.map((arg) => [`\`${argText(arg)}\``, argSummary(arg)]),
        ),
      );
    if (Object.keys(command.flags).length > 0) parts.push(flagTable(command.flags));
    parts.push(`\`\`\`sh\n${command.examples.map(({ run, says }) => `${run}   # ${says}`).join("\n")}\n\`\`\`\n`);
  }
  return parts.join("\n");
}

const flagTable = (flags: Flags): string =>
  table(
    ["flag", "meaning"],
    flagRows(flags).map(([left, right]) => [`\`${left.trim()}\``, right]),
  );

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n") + "\n";

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
