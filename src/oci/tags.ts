/** Lists of a registry, page by page (OCI Distribution 1.1, "Content Discovery"; RFC 8288 for `Link`). */
import { BootwrightError } from "../base/errors.ts";
import type { HttpResponse } from "../base/http.ts";
import { JsonFields } from "../formats/oci-json.ts";
import type { Scope } from "./refusal.ts";
import type { Registry, RegistryCall } from "./registry.ts";

const PAGE = 1000;
const MAX_NAMES = 100_000;
/** Bytes. */
export const MAX_PAGE = 16 * 1024 * 1024;

/** In the registry's order. Throws REGISTRY_UNKNOWN, LIMIT_EXCEEDED, FORMAT_INVALID. */
export function listTags(registry: Registry, repository: string): Promise<readonly string[]> {
  return listNames(registry, {
    path: `${repository}/tags/list?n=${PAGE}`,
    key: "tags",
    scopes: [{ repository, actions: ["pull"] }],
    what: `list the tags of ${registry.host}/${repository}`,
  });
}

/** Not every registry tells. */
export function listRepositories(registry: Registry): Promise<readonly string[]> {
  return listNames(registry, {
    path: `_catalog?n=${PAGE}`,
    key: "repositories",
    scopes: [],
    what: `list the repositories of ${registry.host}`,
  });
}

async function listNames(
  registry: Registry,
  { path, key, scopes, what }: { path: string; key: string; scopes: readonly Scope[]; what: string },
): Promise<readonly string[]> {
  const names: string[] = [];
  const seen = new Set<string>();
  for (let next: string | undefined = path; next !== undefined; ) {
    if (seen.has(next)) throw new BootwrightError("FORMAT_INVALID", `cannot ${what}: its pages go round in a circle`);
    seen.add(next);
    const call: RegistryCall = { method: "GET", path: next, scopes, what, expect: [200] };
    const { response, bytes } = await registry.document(call, MAX_PAGE);
    const page = JsonFields.parse(bytes, what);
    // `null` for an empty list is Go's way.
    if (page.has(key)) names.push(...page.list(key, nameOf, MAX_NAMES));
    if (names.length > MAX_NAMES)
      throw new BootwrightError("LIMIT_EXCEEDED", `cannot ${what}: there are more than ${MAX_NAMES}`);
    next = nextPage(response, registry);
  }
  return names;
}

/** The address of the next page, as the server gave it; relative to this one. */
export function nextPage({ headers, url }: HttpResponse, registry: Registry): string | undefined {
  const link = [headers.link ?? []].flat().join(", ");
  const target = /<([^<>]*)>\s*;[^,]*\brel="?next"?/i.exec(link)?.[1];
  return target === undefined ? undefined : registry.resolve(new URL(target, url).href).href;
}

function nameOf(item: unknown, where: string): string {
  if (typeof item === "string") return item;
  throw new BootwrightError("FORMAT_INVALID", `${where}: expected a text`);
}
