/** What catalogs and publications mean when parts of them are left out, and what no schema can say about them. */
import type { CatalogConfig } from "../catalog/schema.ts";
import type { ConfigIssue } from "./issue.ts";
import { LOCAL, unknownName } from "./references.ts";
import type { ProjectOutput } from "./schema.ts";

/** `sign` undefined: the project has no key to publish with. */
export type ResolvedCatalog = Omit<CatalogConfig, "sign"> & { readonly sign: string | undefined };

const DEFAULT_KEY = "catalog";

export function resolveCatalogs(config: ProjectOutput): {
  readonly catalogs: Readonly<Record<string, ResolvedCatalog>>;
  readonly issues: readonly ConfigIssue[];
} {
  const issues: ConfigIssue[] = [];
  const catalogs = Object.fromEntries(
    Object.entries(config.catalogs).map(([name, catalog]) => [
      name,
      { ...catalog, sign: catalog.sign ?? (DEFAULT_KEY in config.keys ? DEFAULT_KEY : undefined) },
    ]),
  );
  if (LOCAL in config.catalogs)
    issues.push({
      path: ["catalogs", LOCAL],
      message: `"${LOCAL}" is the name of the user's own library of bundles`,
      mark: "key",
    });
  for (const [name, publication] of Object.entries(config.publish)) {
    if (!("bundle" in publication)) continue;
    const { to } = publication;
    const catalog = to.slice("catalog:".length);
    const path = ["publish", name, "to"];
    if (!(catalog in catalogs))
      issues.push({ path, message: unknownName("catalog", catalog, Object.keys(catalogs)), mark: "value" });
    else if (catalogs[catalog]!.sign === undefined)
      issues.push({
        path,
        message: `catalog "${catalog}" has no key to sign with: \`keys: { ${DEFAULT_KEY}: { file: "./keys/catalog" } }\``,
        mark: "value",
      });
  }
  return { catalogs, issues };
}
