/**
 * The one parser of what people call an image or artifact: `registry.example.org:5000/team/base:1.2@sha256:…`, a layout
 * directory or a tar of one. Names and tags as OCI Distribution 1.1, "Pull", has them.
 */
import { BootwrightError } from "../base/errors.ts";

export interface RegistryReference {
  /** Name and, where it is said, port: "registry.example.org:5000". */
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  /** SHA-256, hex. */
  readonly digest?: string;
}

export type Location =
  | { readonly type: "registry"; readonly reference: RegistryReference }
  /** `archive`: a tar; undefined where the path itself tells. */
  | { readonly type: "layout"; readonly path: string; readonly tag?: string; readonly archive?: boolean };

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** The host and what is below it: a registry is meant when the first part can be no directory. */
const hasHost = (text: string): boolean => /^[^/]*[.:][^/]*\/|^localhost\//.test(text) && !/^\.{0,2}\//.test(text);

/** `docker://` and `oci://` may stand before a registry's reference. Throws USAGE. */
export function parseLocation(text: string): Location {
  const [, scheme, rest = ""] = /^(docker|oci):\/\/(.*)$/.exec(text) ?? [];
  if (scheme !== undefined) return { type: "registry", reference: parseReference(rest) };
  const [, kind, file = ""] = /^(oci|oci-archive):(.+)$/.exec(text) ?? [];
  if (kind !== undefined) {
    const [, path = file, tag] = /^(.*[^/]):([^/:]+)$/.exec(file) ?? [];
    return { type: "layout", path, ...(tag !== undefined && { tag: checkTag(tag, text) }), archive: kind !== "oci" };
  }
  if (hasHost(text)) return { type: "registry", reference: parseReference(text) };
  return { type: "layout", path: text };
}

/** `HOST/NAME[:TAG][@sha256:HEX]`. Throws USAGE, and UNSUPPORTED for a digest of another kind. */
export function parseReference(text: string): RegistryReference {
  const bare = text.replace(/^(?:docker|oci):\/\//, "");
  const slash = bare.indexOf("/");
  if (slash === -1 || !hasHost(bare))
    throw invalid(text, "it names no registry", "write the registry's name first: registry.example.org/team/base:1.2");
  const host = bare.slice(0, slash);
  if (!HOST.test(host)) throw invalid(text, `${JSON.stringify(host)} is no host name`);
  const at = bare.indexOf("@");
  const named = at === -1 ? bare.slice(slash + 1) : bare.slice(slash + 1, at);
  const digest = at === -1 ? undefined : parseReferenceDigest(bare.slice(at + 1), text);
  const colon = named.indexOf(":");
  const repository = colon === -1 ? named : named.slice(0, colon);
  if (repository.length > 255 || !REPOSITORY.test(repository))
    throw invalid(
      text,
      `${JSON.stringify(repository)} is no name of a repository`,
      repository === repository.toLowerCase()
        ? 'names have letters, digits and "." "_" "-" "/" between them'
        : "names are in lower case; only tags may have capitals",
    );
  return {
    host,
    repository,
    ...(colon !== -1 && { tag: checkTag(named.slice(colon + 1), text) }),
    ...(digest !== undefined && { digest }),
  };
}

/** Of the registry's part: what `login` and `ls` take. Throws USAGE. */
export function parseHost(text: string): string {
  const host = text.replace(/^(?:https?|docker|oci):\/\//, "").replace(/\/+$/, "");
  if (!HOST.test(host)) throw new BootwrightError("USAGE", `${JSON.stringify(text)} is no registry's name`);
  return host;
}

/** Throws USAGE. */
export function checkTag(tag: string, what: string): string {
  if (TAG.test(tag)) return tag;
  throw invalid(
    what,
    `${JSON.stringify(tag)} is no tag`,
    'tags have up to 128 letters, digits and "." "_" "-", first a letter, digit or "_"',
  );
}

/** As people write it; a tag or digest is always shown. */
export function formatReference({ host, repository, tag, digest }: RegistryReference): string {
  const suffix = digest === undefined ? "" : `@sha256:${digest}`;
  return `${host}/${repository}${tag === undefined ? (digest === undefined ? ":latest" : "") : `:${tag}`}${suffix}`;
}

/** What the registry is asked for: the digest, where there is one, else the tag. */
export const targetOf = ({ tag, digest }: RegistryReference): string =>
  digest === undefined ? (tag ?? "latest") : `sha256:${digest}`;

function parseReferenceDigest(digest: string, text: string): string {
  const hash = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hash !== undefined) return hash;
  if (/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/.test(digest) && !digest.startsWith("sha256:"))
    throw new BootwrightError("UNSUPPORTED", `${text}: a digest other than SHA-256`);
  throw invalid(text, "after @ a digest is expected: sha256: and 64 lower-case hex digits");
}

const invalid = (text: string, why: string, hint?: string): BootwrightError =>
  new BootwrightError("USAGE", `${text}: ${why}`, hint === undefined ? {} : { hint });
