/** From a directory to a frozen config: find → read → layers → environment → schema → references. All mistakes at once. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readCachedConfig, writeCachedConfig } from "./cache.ts";
import { type Environment, expandEnvironment } from "./environment.ts";
import { findConfig } from "./find.ts";
import { freezeDeep } from "./freeze.ts";
import type { ConfigIssue } from "./issue.ts";
import { type Layered, type LayerInput, mergeLayers, writtenAt } from "./layers.ts";
import { mistakesError } from "./mistakes.ts";
import { normalize, writtenPath } from "./normalize.ts";
import { type Origins, originsOf } from "./origin.ts";
import { type ConfigObject, type ConfigPath, isObject } from "./path.ts";
import { plainData } from "./plain.ts";
import { readConfig } from "./read.ts";
import { checkReferences, unknownName } from "./references.ts";
import type { ResolvedConfig } from "./resolved.ts";

export interface LoadConfigOptions {
  readonly cwd: string;
  /** Path of the config; default: searched for upwards. */
  readonly config?: string | undefined;
  /** Names of profiles, applied in order. */
  readonly profiles?: readonly string[];
  /** Where `{env:NAME}` is looked up. */
  readonly env?: Environment;
  /** A last layer, from flags. */
  readonly overrides?: ConfigObject;
  /** Directory for validated configs; without one nothing is kept. */
  readonly cacheDir?: string | undefined;
}

export interface LoadedConfig {
  readonly config: ResolvedConfig;
  /** Absolute path of the config file. */
  readonly file: string;
  /** All local files that the config consists of. */
  readonly files: readonly string[];
  /** Where each value came from. */
  readonly origins: Origins;
}

/** Throws CONFIG_NOT_FOUND, CONFIG_LOAD_FAILED, CONFIG_INVALID, ENV_MISSING or NAME_UNKNOWN (a profile). */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const file = findConfig(options.cwd, options.config);
  const cached = readCachedConfig(file, options);
  if (cached !== undefined) return { ...cached, config: freezeDeep(cached.config), file };

  const read = await readConfig(file);
  const { initramfsSchema, projectSchema } = await import("./schema.ts");
  const { issuesFromZod } = await import("./zod-issues.ts");
  const { resolveReferences } = await import("./resolve.ts");
  const initramfsKeys = new Set(Object.keys(initramfsSchema.shape));

  const plain = plainData(read.value);
  if (plain.issues.length > 0 || !isObject(plain.value))
    throw await mistakesError(read, plain.issues.length > 0 ? plain.issues : [NOT_A_MAP]);

  const base = layerOf(plain.value, { kind: "config" }, [], initramfsKeys);
  const profiles = isObject(plain.value.profiles) ? plain.value.profiles : {};
  const layers = Object.fromEntries(
    Object.entries(profiles)
      .filter(([, value]) => isObject(value))
      .map(([name, value]) => [
        name,
        layerOf(value as ConfigObject, { kind: "profile", name }, ["profiles", name], initramfsKeys),
      ]),
  );
  const chosen = (options.profiles ?? []).map((name) => layers[name] ?? unknownProfile(name, Object.keys(layers)));
  const flags = options.overrides ? [layerOf(options.overrides, { kind: "flag" }, [], initramfsKeys)] : [];
  const layered = mergeLayers([base, ...chosen, ...flags]);
  const expanded = expandEnvironment(withoutProfiles(layered.value), options.env ?? {});

  const check = (value: ConfigObject) => {
    const result = projectSchema.safeParse({ ...value, profiles: {} });
    const wrongNames = checkReferences(value);
    if (!result.success)
      return { issues: [...issuesFromZod(projectSchema, result.error.issues, value), ...wrongNames] };
    const { project, issues } = resolveReferences(result.data);
    return { project, issues: [...wrongNames, ...issues] };
  };
  const resolved = check(expanded.value as ConfigObject);
  const issues = [...base.issues, ...chosen.flatMap((layer) => layer.issues), ...expanded.issues, ...resolved.issues];
  const fromProfiles = issuesOfProfiles({ base, layers, chosen, profiles, check: (value) => check(value).issues });
  if (issues.length > 0 || resolved.project === undefined || fromProfiles.length > 0)
    throw await mistakesError(read, [...issues.map((issue) => inFile(issue, layered)), ...fromProfiles]);

  // Through JSON, so that a fresh config and a kept one are alike: members that are undefined are not there.
  const config = JSON.parse(JSON.stringify({ ...resolved.project, dir: path.dirname(file) })) as ResolvedConfig;
  const origins = originsOf(layered, expanded.uses);
  await writeCachedConfig({ read, options, config, origins, environment: expanded });
  return { config: freezeDeep(config), file, files: read.files, origins };
}

const NOT_A_MAP: ConfigIssue = { path: [], message: "the config must be a map of keys", mark: "value" };

interface NormalizedLayer extends LayerInput {
  readonly issues: readonly ConfigIssue[];
}

function layerOf(
  written: ConfigObject,
  layer: LayerInput["layer"],
  prefix: ConfigPath,
  initramfsKeys: ReadonlySet<string>,
): NormalizedLayer {
  const { value, singular, issues } = normalize(written, initramfsKeys);
  return { layer, value, issues, inFile: (at) => [...prefix, ...writtenPath(at, singular)] };
}

/** What a profile would break, also when it is not chosen now; its environment references are left alone. */
function issuesOfProfiles(input: {
  base: NormalizedLayer;
  layers: Readonly<Record<string, NormalizedLayer>>;
  chosen: readonly NormalizedLayer[];
  profiles: ConfigObject;
  check: (value: ConfigObject) => readonly ConfigIssue[];
}): readonly ConfigIssue[] {
  const shapes = Object.entries(input.profiles)
    .filter(([, value]) => !isObject(value))
    .map(([name]): ConfigIssue => ({ path: ["profiles", name], message: "expected a map", mark: "value" }));
  const contents = Object.values(input.layers)
    .filter((layer) => !input.chosen.includes(layer))
    .flatMap((layer) => {
      const layered = mergeLayers([input.base, layer]);
      const own = input.check(withoutProfiles(layered.value)).filter((issue) => {
        const at = writtenAt(layered.written, issue.path);
        return at.layer === layer.layer && !hasReference(layered.value, issue.path);
      });
      return [...layer.issues, ...own].map((issue) => inFile(issue, layered));
    });
  return [...shapes, ...contents];
}

const hasReference = (root: unknown, at: ConfigPath): boolean => {
  let value: unknown = root;
  for (const part of at) value = (value as ConfigObject | undefined)?.[part];
  return typeof value === "string" && value.includes("{env:");
};

const withoutProfiles = ({ profiles: _, ...rest }: ConfigObject): ConfigObject => rest;

/** The issue with the path that the file has. */
function inFile(issue: ConfigIssue, layered: Layered): ConfigIssue {
  const holder = writtenAt(layered.written, issue.path);
  if (holder.exact) return { ...issue, path: holder.path };
  for (let length = issue.path.length; length >= 0; length--) {
    const at = writtenAt(layered.written, issue.path.slice(0, length));
    if (at.exact) return { ...issue, path: [...at.path, ...issue.path.slice(length)] };
  }
  return issue;
}

function unknownProfile(name: string, names: readonly string[]): never {
  throw new BootwrightError("NAME_UNKNOWN", unknownName("profile", name, names));
}
