/** The resolved config as YAML-like text or data, with the origin of each value where asked for. */
import path from "node:path";
import type { Report } from "../api/session.ts";
import type { Json } from "../base/json.ts";
import type { LoadedConfig } from "../config/load.ts";
import { type Origin, originAt } from "../config/origin.ts";
import { type ConfigPath, formatPath } from "../config/path.ts";

export interface ConfigView {
  readonly showOrigin: boolean;
  readonly cwd: string;
}

export function describeConfig(loaded: LoadedConfig, view: ConfigView): Report {
  const { dir, ...rest } = loaded.config;
  const origin = (at: ConfigPath) => originAt(loaded.origins, at);
  const shown = withoutSecrets(rest as unknown as Json, [], origin);
  const file = path.relative(view.cwd, loaded.file) || loaded.file;
  const lines = yamlLines(shown, {
    path: [],
    indent: "",
    origin: view.showOrigin ? (at) => originText(origin(at), file) : undefined,
  });
  return {
    data: {
      file: loaded.file,
      dir,
      config: shown,
      ...(view.showOrigin ? { origins: originList(shown, origin) } : {}),
    },
    text: `# ${file}\n${lines.join("\n")}\n`,
  };
}

/** What came from the environment stands as the reference that asked for it. */
function withoutSecrets(value: Json, at: ConfigPath, origin: (at: ConfigPath) => Origin): Json {
  if (Array.isArray(value)) return value.map((item, i) => withoutSecrets(item, [...at, i], origin));
  if (isMap(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, withoutSecrets(item, [...at, key], origin)]),
    );
  const from = origin(at);
  return from.kind === "env" ? from.text : value;
}

interface Printing {
  readonly path: ConfigPath;
  readonly indent: string;
  readonly origin: ((at: ConfigPath) => string) | undefined;
}

function yamlLines(value: Json, { path: at, indent, origin }: Printing): string[] {
  const entries: [string, Json, string | number][] = Array.isArray(value)
    ? value.map((item, i) => ["-", item, i])
    : Object.entries(value as Record<string, Json>).map(([key, item]) => [`${keyText(key)}:`, item, key]);
  return entries.flatMap(([label, item, part]) => {
    const path = [...at, part];
    if (!isContainer(item) || isEmpty(item)) {
      const comment = origin === undefined ? "" : `  # ${origin(path)}`;
      return `${indent}${label} ${isContainer(item) ? (Array.isArray(item) ? "[]" : "{}") : scalarText(item)}${comment}`;
    }
    const inner = yamlLines(item, { path, indent: `${indent}  `, origin });
    // "- key: value" on one line, as people write lists of maps.
    if (label === "-" && !Array.isArray(item)) return [`${indent}- ${inner[0]!.trimStart()}`, ...inner.slice(1)];
    return [`${indent}${label}`, ...inner];
  });
}

function originList(value: Json, origin: (at: ConfigPath) => Origin, at: ConfigPath = []): Record<string, Json> {
  if (isContainer(value) && !isEmpty(value)) {
    const items: [string | number, Json][] = Array.isArray(value)
      ? value.map((item, i) => [i, item])
      : Object.entries(value);
    return Object.assign({}, ...items.map(([part, item]) => originList(item, origin, [...at, part])));
  }
  return { [formatPath(at)]: origin(at) as unknown as Json };
}

function originText(origin: Origin, file: string): string {
  switch (origin.kind) {
    case "config":
      return `${file}: ${formatPath(origin.path)}`;
    case "profile":
      return `profile ${origin.name}`;
    case "env":
      return `environment: ${origin.names.join(", ")}`;
    default:
      return origin.kind;
  }
}

const isMap = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isContainer = (value: Json): value is readonly Json[] | { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null;

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;

const keyText = (key: string): string => (/^[A-Za-z_/][\w./-]*$/.test(key) ? key : JSON.stringify(key));

/** Unquoted only where YAML reads the same text back. */
function scalarText(value: Json): string {
  if (typeof value !== "string") return String(value);
  const plain =
    /^[A-Za-z_/.][\w ./=,:+-]*$/.test(value) &&
    !/^(true|false|null|yes|no|on|off|~)$|: |:$| $|^\.(nan|inf)$|^\.?\d/i.test(value);
  return plain ? value : JSON.stringify(value);
}
