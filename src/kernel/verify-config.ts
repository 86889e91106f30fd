/**
 * Did the kernel's own Kconfig take what the fragments ask for? It drops what it cannot have (a dependency that is off, an
 * option of another version) without a word, and what is missing is then found on the machine that does not boot.
 */
import { BootwrightError } from "../base/errors.ts";
import { suggest } from "../base/suggest.ts";
import type { OptionRequest } from "./fragment.ts";

/** An option with another value in the end than the one that was asked for. */
export interface Untaken {
  readonly request: OptionRequest;
  /** "n" when the option is off or does not exist. */
  readonly final: string;
  /** False: no symbol of this source has that name. */
  readonly known: boolean;
}

export interface VerifyOptions {
  /** The finished config. */
  readonly config: ReadonlyMap<string, string>;
  readonly requests: readonly OptionRequest[];
  /** Every symbol of the source. */
  readonly symbols: ReadonlySet<string>;
}

export function findUntaken({ config, requests, symbols }: VerifyOptions): Untaken[] {
  return requests.flatMap((request): Untaken[] => {
    const final = config.get(request.symbol) ?? "n";
    const known = symbols.has(request.symbol);
    if (sameValue(request.value, final) || (request.whereKnown && !known)) return [];
    return [{ request, final, known }];
  });
}

/** A wanted module that is part of the kernel is there, too. */
const sameValue = (wanted: string, final: string): boolean =>
  wanted === final ||
  (wanted === "m" && final === "y") ||
  (wanted === '""' && final === "n") ||
  (isNumber(wanted) && isNumber(final) && Number(wanted) === Number(final));

const isNumber = (text: string): boolean => /^(-?\d+|0[xX][0-9a-fA-F]+)$/.test(text);

/** Throws KCONFIG_UNTAKEN that names every option with its place, what was wanted, and what it is. */
export function verifyConfig(options: VerifyOptions): void {
  const untaken = findUntaken(options);
  if (untaken.length === 0) return;
  const [first] = untaken;
  const title =
    untaken.length === 1 ? `CONFIG_${first!.request.symbol} did not take` : `${untaken.length} options did not take`;
  throw new BootwrightError("KCONFIG_UNTAKEN", `${title} the value that a fragment asks for`, {
    detail: untaken.map((one) => describeUntaken(one, options)).join("\n"),
    hint: "an option needs what its `depends on` names: ask for that in a fragment, too, or drop the line",
  });
}

function describeUntaken({ request, final, known }: Untaken, { symbols }: VerifyOptions): string {
  const place = request.line === 0 ? request.fragment : `${request.fragment}:${request.line}`;
  const wanted = `${place}: CONFIG_${request.symbol} should be ${request.value}`;
  if (known) return `${wanted}, and is ${final}`;
  const near = suggest(request.symbol, [...symbols]);
  return `${wanted}, and this kernel has no such option${near === undefined ? "" : `; did you mean CONFIG_${near}?`}`;
}

/** "SQUASHFS" (y or m), "DRM_SIMPLEDRM=y": throws KCONFIG_UNTAKEN for what the config lacks. */
export function requireOptions(config: ReadonlyMap<string, string>, require: readonly string[]): void {
  const missing = require.flatMap((text): string[] => {
    const [, symbol, wanted] = /^(?:CONFIG_)?([A-Za-z0-9_]+)(?:=(.+))?$/.exec(text)!;
    const final = config.get(symbol!) ?? "n";
    const ok = wanted === undefined ? final === "y" || final === "m" : final === wanted || final === `"${wanted}"`;
    return ok ? [] : [`CONFIG_${symbol} should be ${wanted ?? "y or m"}, and is ${final}`];
  });
  if (missing.length === 0) return;
  throw new BootwrightError("KCONFIG_UNTAKEN", "the kernel lacks options that `require` names", {
    detail: missing.join("\n"),
    hint: "ask for them in a fragment",
  });
}
