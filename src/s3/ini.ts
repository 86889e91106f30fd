/**
 * The shared files of AWS tools (`~/.aws/credentials`, `~/.aws/config`): sections of `name = value`, and values that consist of
 * indented lines of their own. Readers on npm take the dots in a section's name for nesting.
 */

export type IniSections = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Names in lower case; of a nested value "s3.addressing_style". What is no line of such a file is passed over, as others do. */
export function parseIni(text: string): IniSections {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  let parent = "";
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const header = /^\[\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) {
      section = sections.get(header) ?? new Map<string, string>();
      sections.set(header, section);
      parent = "";
      continue;
    }
    const [, indent, name, value] = /^(\s*)([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === undefined || name === undefined) continue;
    const nested = indent !== "" && parent !== "";
    if (!nested) parent = value === "" ? name.toLowerCase() : "";
    section.set(nested ? `${parent}.${name.toLowerCase()}` : name.toLowerCase(), value!);
  }
  return sections;
}
