/** SLSA's provenance v1, as anybody may have written it: what a policy asks about. */
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { PREDICATES } from "./intoto.ts";
import { JsonFields } from "./oci-json.ts";

export interface SlsaProvenance {
  readonly buildType: string;
  /** A URI. */
  readonly builder: string;
  /** SHA-256 of the files of the config, where the build type is ours. */
  readonly config: readonly string[];
  readonly sources: readonly SlsaSource[];
  /** Commits that it was made from: of its repository, where the build type is ours, and of sources. */
  readonly commits: readonly string[];
}

export interface SlsaSource {
  readonly name: string;
  readonly uri: string;
  /** Algorithm → hex. */
  readonly digest: ReadonlyMap<string, string>;
}

const MAX_SOURCES = 200_000;

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED, and UNSUPPORTED for another predicate. */
export function parseSlsaProvenance(
  { predicateType, predicate }: { readonly predicateType: string; readonly predicate: Json },
  what: string,
): SlsaProvenance {
  if (predicateType !== PREDICATES.slsa)
    throw new BootwrightError("UNSUPPORTED", `${what}: a statement of type ${JSON.stringify(predicateType)}`);
  const fields = JsonFields.of(predicate, what);
  const definition = fields.object("buildDefinition");
  const parameters = definition.object("externalParameters");
  const list = <T>(of: JsonFields, key: string, read: (item: unknown, where: string) => T): readonly T[] =>
    of.has(key) ? of.list(key, read, MAX_SOURCES) : [];
  const isOurs = definition.text("buildType").startsWith("urn:bootwright:build:");
  const sources = list(definition, "resolvedDependencies", parseSource);
  const own =
    isOurs && parameters.has("source") ? [parameters.object("source").object("digest").text("gitCommit")] : [];
  return {
    buildType: definition.text("buildType"),
    builder: fields.object("runDetails").object("builder").text("id"),
    config: isOurs
      ? list(parameters, "config", (item, where) => JsonFields.of(item, where).object("digest").text("sha256"))
      : [],
    sources,
    commits: [...own, ...sources.flatMap(({ digest }) => digest.get("gitCommit") ?? [])],
  };
}

function parseSource(item: unknown, where: string): SlsaSource {
  const fields = JsonFields.of(item, where);
  return {
    name: fields.optionalText("name") ?? "",
    uri: fields.optionalText("uri") ?? "",
    digest: fields.texts("digest"),
  };
}
