/** Which Debian archives to use: those that the config names, else those of the host's own apt configuration (sources.list(5)). */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import type { DebianSourceConfig } from "./schema.ts";

/** `components` may be frozen. */
type Config = Readonly<Omit<DebianSourceConfig, "components">> & { readonly components: readonly string[] };

export interface AptSource {
  /** Without trailing slash. */
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Keyring files, one of which must have signed InRelease. */
  readonly keyrings: readonly string[];
}

const DEFAULT_KEYRINGS = [
  "/usr/share/keyrings/debian-archive-keyring.gpg",
  "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
];

/** Throws MIRROR_UNKNOWN when neither config nor host names one. `root` is "/" but for tests. */
export function aptSources(config: Config, options: { projectDir: string; root?: string }): AptSource[] {
  const root = options.root ?? "/";
  const keyrings = config.keyring === undefined ? undefined : [path.resolve(options.projectDir, config.keyring)];
  if (config.mirror !== undefined) {
    if (config.suite === undefined)
      throw new BootwrightError("MIRROR_UNKNOWN", "sources.debian.mirror is set, but not its suite", {
        hint: 'add sources.debian.suite, such as "bookworm"',
      });
    return configuredSources(config.mirror, config.suite, { config, keyrings });
  }
  const host = hostSources(root);
  const codename = config.suite ?? hostCodename(root);
  const own = ownArchive(host.filter((source) => codename !== undefined && belongsTo(source.suite, codename)));
  if (own.length > 0)
    return own.map((source) => ({
      ...source,
      keyrings: keyrings ?? source.keyrings,
      components: usedComponents(config, source),
    }));
  const main = host.find((source) => source.suite === hostCodename(root));
  if (main === undefined || config.suite === undefined) {
    throw new BootwrightError(
      "MIRROR_UNKNOWN",
      "the host's apt configuration names no archive of its own release, and the config names none",
    );
  }
  // Another release from the mirror that the host uses.
  return configuredSources(main.uri, config.suite, { config, keyrings });
}

function configuredSources(
  uri: string,
  suite: string,
  { config, keyrings }: { config: Config; keyrings: readonly string[] | undefined },
): AptSource[] {
  const base = { components: config.components, keyrings: keyrings ?? DEFAULT_KEYRINGS };
  const trimmed = uri.replace(/\/+$/, "");
  const main = config.snapshot === undefined ? trimmed : `${trimmed}/${config.snapshot}`;
  const sources: AptSource[] = [{ uri: main, suite, ...base }];
  if (config.security !== undefined)
    sources.push({ uri: config.security.replace(/\/+$/, ""), suite: `${suite}-security`, ...base });
  return sources;
}

const usedComponents = (config: Config, source: AptSource): string[] =>
  source.components.filter((name) => config.components.includes(name));

/** Not backports, not proposals, and not what vendors call "bookworm-something". */
const belongsTo = (suite: string, codename: string): boolean =>
  [codename, `${codename}-updates`, `${codename}-security`, `${codename}/updates`].includes(suite);

/** Vendors name their suites after the release, too, but sign with keys of their own. A mirror signed anew is taken when it is all there is. */
function ownArchive(sources: readonly AptSource[]): readonly AptSource[] {
  const distribution = sources.filter((source) => source.keyrings.some((file) => DEFAULT_KEYRINGS.includes(file)));
  return distribution.length > 0 ? distribution : sources;
}

function hostCodename(root: string): string | undefined {
  return /^VERSION_CODENAME="?([a-z0-9]+)"?$/m.exec(readText(path.join(root, "etc/os-release")))?.[1];
}

function hostSources(root: string): AptSource[] {
  const apt = path.join(root, "etc/apt");
  const dir = path.join(apt, "sources.list.d");
  const names = fs.existsSync(dir) ? fs.readdirSync(dir).sort() : [];
  return [
    ...parseOneLine(readText(path.join(apt, "sources.list"))),
    ...names.filter((name) => name.endsWith(".list")).flatMap((name) => parseOneLine(readText(path.join(dir, name)))),
    ...names.filter((name) => name.endsWith(".sources")).flatMap((name) => parseDeb822(readText(path.join(dir, name)))),
  ].filter((source) => /^(https?|file):/.test(source.uri));
}

/** "deb [signed-by=/k.gpg] http://host/debian bookworm main". */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    if (match === null) continue;
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(match[1] ?? "")?.[1];
    sources.push({
      uri: trim(match[2]!),
      suite: match[3]!,
      components: words(match[4]!),
      keyrings: keyringsOf(signedBy),
    });
  }
  return sources;
}

/** Stanzas of Types, URIs, Suites, Components, Signed-By. */
export function parseDeb822(text: string): AptSource[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t]+.*)*)`, "im").exec(stanza)?.[1]?.trim() ?? "";
    if (!words(field("Types")).includes("deb") || /^(no|false|0)$/i.test(field("Enabled"))) return [];
    const components = words(field("Components"));
    return words(field("URIs")).flatMap((uri) =>
      words(field("Suites")).map(
        (suite): AptSource => ({ uri: trim(uri), suite, components, keyrings: keyringsOf(field("Signed-By")) }),
      ),
    );
  });
}

/** Nothing said: the distribution's keyrings decide. An armoured key inside the file is no path, and no distribution does that. */
const keyringsOf = (signedBy: string | undefined): string[] =>
  signedBy === undefined || signedBy === ""
    ? DEFAULT_KEYRINGS
    : words(signedBy.replaceAll(",", " ")).filter((file) => file.startsWith("/"));

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
const trim = (uri: string): string => uri.replace(/\/+$/, "");

function readText(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
