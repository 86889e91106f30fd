/**
 * Kconfig fragments: lines of a .config, merged in order. The format is the one that `make *config` writes and reads
 * (kernel Documentation/kbuild/kconfig.rst; scripts/kconfig/confdata.c): `CONFIG_X=value`, `# CONFIG_X is not set`, comments. One
 * comment means something to us: `# where known: CONFIG_X=value` asks for what not every version of the kernel has.
 */
import { BootwrightError } from "../base/errors.ts";

export interface Fragment {
  /** Said in errors: a built-in name, or a path of the config. */
  readonly name: string;
  readonly text: string;
}

/** One line that asks for something. */
export interface OptionRequest {
  /** Without CONFIG_. */
  readonly symbol: string;
  /** "y", "m", "n", a number, or text with its quotes. */
  readonly value: string;
  readonly fragment: string;
  /** From 1. */
  readonly line: number;
  /** Nothing is amiss where this kernel has no such option. */
  readonly whereKnown?: true;
}

export interface MergedFragments {
  /** One request a symbol: the last one. In the order in which symbols first appear. */
  readonly requests: readonly OptionRequest[];
  /** Requests that a later one of another value replaced. */
  readonly overridden: readonly { readonly before: OptionRequest; readonly after: OptionRequest }[];
}

const ASSIGNMENT = /^CONFIG_([A-Za-z0-9_]+)=(.*)$/;
const NOT_SET = /^# CONFIG_([A-Za-z0-9_]+) is not set$/;
const WHERE_KNOWN = /^# where known: (.+)$/;
const VALUE = /^(?:[ymn]|-?\d+|0[xX][0-9a-fA-F]+|"(?:[^"\\]|\\.)*")$/;

/** Throws KCONFIG_INVALID that names every line that is not understood. */
export function parseFragment({ name, text }: Fragment): OptionRequest[] {
  const requests: OptionRequest[] = [];
  const wrong: string[] = [];
  for (const [i, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const optional = WHERE_KNOWN.exec(raw.trim());
    const line = optional?.[1] ?? raw.trim();
    const unset = NOT_SET.exec(line);
    const set = ASSIGNMENT.exec(line);
    const at = { fragment: name, line: i + 1, ...(optional && { whereKnown: true as const }) };
    if (unset) requests.push({ symbol: unset[1]!, value: "n", ...at });
    else if (set && VALUE.test(set[2]!)) requests.push({ symbol: set[1]!, value: set[2]!, ...at });
    else if (set) wrong.push(`${name}:${i + 1}: CONFIG_${set[1]} cannot be ${set[2] === "" ? "empty" : set[2]}`);
    else if (line !== "" && !line.startsWith("#")) wrong.push(`${name}:${i + 1}: ${line.slice(0, 100)}`);
  }
  if (wrong.length > 0)
    throw new BootwrightError(
      "KCONFIG_INVALID",
      `${name} is no fragment of a kernel config: ${wrong.length === 1 ? "a line is" : `${wrong.length} lines are`} not understood`,
      { detail: wrong.slice(0, 20).join("\n"), hint: 'write "CONFIG_X=y" or "# CONFIG_X is not set"' },
    );
  return requests;
}

/** Throws KCONFIG_INVALID when a fragment asks for nothing: that is a mistake, such as a file left empty. */
export function mergeFragments(fragments: readonly Fragment[]): MergedFragments {
  const requests = new Map<string, OptionRequest>();
  const overridden: { before: OptionRequest; after: OptionRequest }[] = [];
  for (const fragment of fragments) {
    const parsed = parseFragment(fragment);
    if (parsed.length === 0)
      throw new BootwrightError("KCONFIG_INVALID", `${fragment.name} asks for no option at all`, {
        hint: "write options into it (CONFIG_SQUASHFS=y), or take it out of the config",
      });
    for (const request of parsed) {
      const before = requests.get(request.symbol);
      if (before !== undefined && before.value !== request.value) overridden.push({ before, after: request });
      requests.set(request.symbol, request);
    }
  }
  return { requests: [...requests.values()], overridden };
}

/** The line of a .config that means this. */
export const configLine = ({ symbol, value }: Pick<OptionRequest, "symbol" | "value">): string =>
  value === "n" ? `# CONFIG_${symbol} is not set` : `CONFIG_${symbol}=${value}`;

/** A finished .config: values by symbol; what is not in it is off. */
export function parseConfig(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const set = ASSIGNMENT.exec(line);
    if (set) values.set(set[1]!, set[2]!);
  }
  return values;
}
