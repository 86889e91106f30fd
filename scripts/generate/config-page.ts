/** docs/reference/config.md: every key with its type, default and meaning. */
import type { JsonSchema } from "./json-schema.ts";

const HEAD = `# Config reference

Made from the schema by \`npm run generate\`; do not edit. The guide is [../guides/config.md](../guides/config.md).
Required keys are **bold**. \`NAME\` stands for a name that you choose: lower-case letters, digits, \`.\`, \`_\`, \`-\`.
`;

export function configPage(schema: JsonSchema): string {
  const sections: string[] = [HEAD];
  const queue: { title: string; schema: JsonSchema }[] = [{ title: "", schema }];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { title, schema: object } = next;
    const rows = Object.entries(object.properties ?? {}).map(([key, value]) => {
      const path = title === "" ? key : `${title}.${key}`;
      // The singular is the same thing as the plural's value, and is described there.
      if (!SINGULAR.has(path)) queue.push(...nested(path, value));
      return row(key, value, object.required?.includes(key) === true && value.default === undefined);
    });
    if (rows.length === 0) continue;
    sections.push(`## ${title === "" ? "The project" : `\`${title}\``}\n`);
    if (object.description && title !== "") sections.push(`${object.description}\n`);
    sections.push(`| key | type | default | meaning |\n|---|---|---|---|\n${rows.join("\n")}\n`);
  }
  return sections.join("\n");
}

const SINGULAR = new Set(["kernel", "tree", "image", "machine"]);

function nested(path: string, value: JsonSchema): { title: string; schema: JsonSchema }[] {
  const variants = value.anyOf ?? value.oneOf;
  if (variants !== undefined) return variants.flatMap((variant) => nested(`${path}${tag(variant)}`, variant));
  if (value.properties !== undefined) return [{ title: path, schema: value }];
  if (value.items !== undefined) return nested(`${path}[]`, value.items);
  if (typeof value.additionalProperties === "object") return nested(`${path}.NAME`, value.additionalProperties);
  return [];
}

/** What tells a variant from the others: `(kind: "uki")`, or its first key. */
function tag({ properties = {} }: JsonSchema): string {
  const [key, first] = Object.entries(properties)[0] ?? [];
  if (key === undefined) return "";
  return first?.const === undefined || first.const === true ? ` (${key})` : ` (${key}: ${JSON.stringify(first.const)})`;
}

function row(key: string, value: JsonSchema, required: boolean): string {
  const cells = [
    required ? `**\`${key}\`**` : `\`${key}\``,
    typeText(value),
    defaultText(value),
    value.description ?? "",
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function typeText(value: JsonSchema): string {
  const variants = value.anyOf ?? value.oneOf;
  if (variants !== undefined) return [...new Set(variants.map(typeText))].join(" or ");
  if (value.const !== undefined) return `\`${JSON.stringify(value.const)}\``;
  if (value.enum !== undefined) return value.enum.map((one) => `\`${JSON.stringify(one)}\``).join(", ");
  if (value.type === "array") return `list of ${value.items === undefined ? "anything" : typeText(value.items)}`;
  if (value.type === "object") return "map";
  return TYPES[value.type ?? ""] ?? "anything";
}

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
};

function defaultText(value: JsonSchema): string {
  if (value.default === undefined) return "";
  const text = JSON.stringify(value.default);
  return text === "{}" || text === "[]" || text === '""' ? "empty" : `\`${text}\``;
}
