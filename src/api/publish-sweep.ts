/** `publish --sweep`: takes away what publishers that were killed have left in the places of the config. */
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { SWEPT_AFTER, type Swept } from "../base/sweep.ts";
import { SeenSerials } from "../catalog/seen.ts";
import { sweepCatalog } from "../catalog/sweep-catalog.ts";
import { sweepFiles } from "../publish/sweep.ts";
import { BESIDE } from "./attest-published.ts";
import { catalogKeys } from "./catalogs.ts";
import { openSwept } from "./places.ts";
import { openProject, type Project } from "./project.ts";
import { choosePublications } from "./publish.ts";
import type { Report, Session } from "./session.ts";

export interface SweepOptions {
  /** Names of `publish`; default all. */
  readonly names: readonly string[];
  readonly dryRun: boolean;
}

/** "left": the registry removes nothing. */
type SweptHere = Omit<Swept, "action"> & { readonly to: string; readonly action: Swept["action"] | "left" };

export async function sweepPublished(session: Session, options: SweepOptions): Promise<Report> {
  await using project = await openProject(session);
  const { dryRun } = options;
  const swept: SweptHere[] = [];
  const places = choosePublications(project, options.names).map((name) => project.config.publish[name]!.to);
  for (const to of new Set(places))
    for (const one of await sweepAt(project, { to, dryRun })) swept.push({ ...one, to });
  const bytes = swept.reduce((sum, { action, size }) => sum + (action === "removed" ? size : 0), 0);
  return {
    data: { published: [], retired: [], kernels: [], swept: swept.map((one) => ({ ...one })), dryRun },
    text: swept.map((one) => describe(one, dryRun)).join("\n"),
    summary:
      swept.length === 0
        ? "nothing is left over"
        : `${dryRun ? "would free" : "freed"} ${formatSize(bytes)}${swept.some(({ action }) => action === "set aside") ? "; what is set aside goes with a sweep a day later" : ""}`,
    exit: dryRun && swept.length > 0 ? EXIT.different : EXIT.ok,
  };
}

async function sweepAt(
  project: Project,
  { to, dryRun }: { to: string; dryRun: boolean },
): Promise<readonly Omit<SweptHere, "to">[]> {
  const { session, config } = project;
  const { signal } = session;
  const catalog = /^catalog:(.+)$/.exec(to)?.[1];
  const address = catalog === undefined ? to : config.catalogs[catalog]!.url;
  if (address.startsWith("github:")) {
    const { sweepReleases } = await import("./github-place.ts");
    const swept = await sweepReleases(session, { to: address, age: SWEPT_AFTER, dryRun });
    return swept.map((one) => ({ ...one, action: "removed" }));
  }
  if (address.startsWith("oci://")) {
    const { sweepRegistry } = await import("./publish-registry.ts");
    const claims = await sweepRegistry(project, { to: address, age: SWEPT_AFTER, dryRun });
    return claims.map(({ tag, removed }) => ({ path: tag, size: 0, action: removed ? "removed" : "left" }));
  }
  const place = await openSwept(project, address);
  if (place === undefined) throw new BootwrightError("UNSUPPORTED", `${address} is an address to read only`);
  if (catalog === undefined) return sweepFiles(place, { beside: BESIDE, signal, dryRun });
  return sweepCatalog(place, {
    keys: catalogKeys(project, catalog),
    seen: new SeenSerials(session.dataDir),
    ...{ signal, dryRun },
  });
}

const WOULD = { "set aside": "would set aside", removed: "would remove", "put back": "would put back" } as const;

function describe({ to, path, size, action }: SweptHere, dryRun: boolean): string {
  if (action === "left") return `${path} stays at ${to}: its registry removes nothing`;
  return `${dryRun ? WOULD[action] : action} ${path}${size === 0 ? "" : ` (${formatSize(size)})`} at ${to}`;
}
