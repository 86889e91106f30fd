/** Names by template: "vmlinuz-{kernel.release}-{key}.efi". */
import { didYouMean } from "../base/suggest.ts";

export const TEMPLATE_WORDS = ["name", "image", "version", "arch", "kernel.release", "key", "sha256"] as const;

export type TemplateWord = (typeof TEMPLATE_WORDS)[number];

/** Absent: this image or project has none. */
export type TemplateValues = Readonly<Partial<Record<TemplateWord, string>>>;

const PLACEHOLDER = /\{([^{}]*)\}/g;

export const wordsOf = (template: string): readonly string[] =>
  [...template.matchAll(PLACEHOLDER)].map(([, word]) => word!);

/** What is wrong with it, or undefined. */
export function templateMistake(template: string): string | undefined {
  const unknown = wordsOf(template).find((word) => !TEMPLATE_WORDS.some((one) => one === word));
  if (unknown !== undefined) {
    const words = TEMPLATE_WORDS.map((word) => `{${word}}`).join(", ");
    return `{${unknown}} means nothing${didYouMean(unknown, TEMPLATE_WORDS) || `; there is ${words}`}`;
  }
  if (!/^[A-Za-z0-9_][A-Za-z0-9._+~-]*$/.test(template.replaceAll(PLACEHOLDER, "x")))
    return 'expected a name of letters, digits, ".", "_", "+", "~" and "-", with words in braces: "{image}-{version}.iso"';
  return undefined;
}

/** The first word that has no value, for an error; undefined when all have. */
export const missingWord = (template: string, values: TemplateValues): string | undefined =>
  wordsOf(template).find((word) => values[word as TemplateWord] === undefined);

/** All words have values. What no name may hold becomes "_". */
export const fillTemplate = (template: string, values: TemplateValues): string =>
  template.replaceAll(PLACEHOLDER, (_, word: TemplateWord) => values[word]!.replaceAll(/[^A-Za-z0-9._+~-]/g, "_"));
