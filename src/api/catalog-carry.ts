/** Carries a catalog across a gap without network: out of where it lies into one file, and from there into another place. */
import fs from "node:fs";
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { didYouMean } from "../base/suggest.ts";
import { exportCatalog, importCatalog } from "../catalog/carry-catalog.ts";
import { bundleUrl } from "../catalog/catalog-address.ts";
import type { CatalogEntry } from "../catalog/catalog-index.ts";
import { SeenSerials } from "../catalog/seen.ts";
import { fetchBundle } from "../source/fetch.ts";
import { runPlanned } from "./build.ts";
import { catalogKeys, catalogTarget, openProjectCatalog, projectCatalog } from "./catalogs.ts";
import { openProject, type Project } from "./project.ts";
import { remoteBytes } from "./remote-bytes.ts";
import type { Report, Session } from "./session.ts";

export interface CatalogExportOptions {
  /** Of the config's `catalogs`. */
  readonly catalog: string;
  readonly file: string;
}

export async function catalogExport(session: Session, { catalog, file }: CatalogExportOptions): Promise<Report> {
  await using project = await openProject(session);
  requireCatalog(project, catalog);
  const opened = await openProjectCatalog(project, catalog);
  const { source } = await projectCatalog(project, catalog);
  const { bundles, serial } = opened.index;
  await fetchAll(project, { catalog, bundles });
  const at = path.resolve(session.cwd, file);
  const { signal } = session;
  await exportCatalog(source, {
    ...{ catalog: opened, file: at, signal },
    bundleFile: ({ sha256 }) => project.store.blobs.path(sha256),
  });
  const { size } = fs.statSync(at);
  return {
    data: { catalog, file: at, size, serial, bundles: bundles.length },
    text: `${file}  ${formatSize(size)}  catalog ${catalog}, serial ${serial}, ${bundles.length} bundles`,
    quiet: at,
    summary: `next, on the other side: bootwright catalog import ${path.basename(file)} ${catalog}`,
  };
}

export interface CatalogImportOptions {
  readonly file: string;
  /** Of the config's `catalogs`: where to. */
  readonly catalog: string;
  readonly dryRun: boolean;
}

export async function catalogImport(session: Session, options: CatalogImportOptions): Promise<Report> {
  const { catalog, dryRun } = options;
  await using project = await openProject(session);
  requireCatalog(project, catalog);
  const file = path.resolve(session.cwd, options.file);
  if (!fs.existsSync(file)) throw new BootwrightError("PATH_MISSING", `${options.file} does not exist`);
  const { index, known, before } = await importCatalog(await catalogTarget(project, catalog), {
    ...{ file, dryRun, scratch: path.join(session.storeDir, "tmp"), signal: session.signal },
    ...{ keys: catalogKeys(project, catalog), seen: new SeenSerials(session.dataDir) },
  });
  const { serial, bundles } = index;
  const from = before === 0 ? "" : `, in place of serial ${before}`;
  return {
    data: { catalog, serial, before, bundles: bundles.length, known, dryRun },
    text: known
      ? `catalog ${catalog} has serial ${serial} already`
      : `${dryRun ? "would import" : "imported"} serial ${serial} into catalog ${catalog}: ${bundles.length} bundles${from}`,
    exit: dryRun && !known ? EXIT.different : EXIT.ok,
  };
}

/** Into the store, verified; what is there already is not fetched. */
async function fetchAll(
  project: Project,
  { catalog, bundles }: { catalog: string; bundles: readonly CatalogEntry[] },
): Promise<void> {
  const { session, config } = project;
  const stages = [...new Map(bundles.map((entry) => [entry.sha256, entry])).values()].map(
    ({ name, version, arch, size, sha256 }) =>
      fetchBundle(
        { name: `${name}-${version}-${arch}`, sha256, size },
        {
          offline: session.offline,
          url: bundleUrl(config.catalogs[catalog]!.url, { projectDir: config.dir, sha256 }),
          file: undefined,
          remoteBytes: (place) => remoteBytes(project, place),
        },
      ),
  );
  if (stages.length > 0) await runPlanned(project, stages);
}

function requireCatalog({ config }: Project, name: string): void {
  const names = Object.keys(config.catalogs);
  if (names.includes(name)) return;
  throw new BootwrightError("NAME_UNKNOWN", `no catalog is named "${name}"${didYouMean(name, names)}`, {
    hint: names.length === 0 ? "the config has no `catalogs`" : `there is ${names.join(", ")}`,
  });
}
