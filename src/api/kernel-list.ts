/** Which bundles there are: the user's own, those of the project's catalogs, and which of the former are behind. */
import { EXIT } from "../base/error-codes.ts";
import { formatSize } from "../base/size.ts";
import type { CatalogEntry } from "../catalog/catalog-index.ts";
import { Library, type LibraryBundle } from "../catalog/library.ts";
import { compareVersions } from "../catalog/version-order.ts";
import { loadLock } from "../source/lock.ts";
import { requestName } from "../source/request.ts";
import { openProjectCatalog } from "./catalogs.ts";
import { openProject, type Project } from "./project.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";

/** Needs no project. */
export async function kernelList(session: Session): Promise<Report> {
  const bundles = new Library(session.dataDir).list();
  return {
    data: { kernels: bundles.map(describeOwn) },
    text: alignColumns(
      bundles.map(({ manifest, size, origin }) => [
        ...[manifest.name, manifest.version, manifest.arch, formatSize(size)],
        `${origin.kind === "import" ? "imported from" : "from"} ${origin.from}`,
      ]),
    ),
    summary:
      bundles.length === 0
        ? "no kernels here yet\nnext: bootwright kernel ls --available, or: bootwright kernel import NAME --from DIR"
        : "",
  };
}

export interface AvailableBundle extends CatalogEntry {
  readonly catalog: string;
  /** The user has just these bytes. */
  readonly here: boolean;
}

export async function kernelAvailable(session: Session): Promise<Report> {
  await using project = await openProject(session);
  const found = await availableBundles(project);
  return {
    data: { kernels: found.map((one) => ({ ...one })) },
    text: alignColumns(
      found.map((one) => [
        ...[one.catalog, one.name, one.version, one.arch, formatSize(one.size), one.here ? "here" : ""],
      ]),
    ),
    summary:
      found.length === 0
        ? Object.keys(project.config.catalogs).length === 0
          ? "the config has no catalogs"
          : "the catalogs are empty"
        : "next: bootwright kernel show NAME, or: bootwright kernel pull NAME",
  };
}

/** Newest first below each name. */
export async function availableBundles(project: Project): Promise<readonly AvailableBundle[]> {
  const own = new Set(new Library(project.session.dataDir).list().map(({ sha256 }) => sha256));
  const catalogs = await Promise.all(
    Object.keys(project.config.catalogs).map(async (catalog) => {
      const { index } = await openProjectCatalog(project, catalog);
      return index.bundles.map((one) => ({ ...one, catalog, here: own.has(one.sha256) }));
    }),
  );
  const text = ({ catalog, name, arch }: AvailableBundle): string => `${catalog} ${name} ${arch}`;
  return catalogs
    .flat()
    .sort((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : compareVersions(b.version, a.version)));
}

/** Own bundles and the project's pins of which a catalog has something newer. Exit 10 when there are any. */
export async function kernelOutdated(session: Session): Promise<Report> {
  await using project = await openProject(session);
  const available = await availableBundles(project);
  const newer = ({ name, arch, version }: { name: string; arch: string; version: string }) =>
    available.find((one) => one.name === name && one.arch === arch && compareVersions(one.version, version) > 0);
  const own = new Library(session.dataDir).list();
  const newestOwn = own.filter(
    (one, i) => own.findIndex(({ manifest: m }) => m.name === one.manifest.name && m.arch === one.manifest.arch) === i,
  );
  const rows = [
    ...newestOwn.map(({ manifest }) => ({ what: "here", ...manifest })),
    ...projectPins(project).map((pin) => ({ what: "pinned", ...pin })),
  ].flatMap(({ what, name, arch, version }) => {
    const found = newer({ name, arch, version });
    return found === undefined ? [] : [{ what, name, arch, version, newest: found.version, catalog: found.catalog }];
  });
  return {
    data: { outdated: rows },
    text: alignColumns(
      rows.map(({ what, name, arch, version, newest, catalog }) => [
        ...[what, name, arch, `${version} → ${newest}`, `catalog ${catalog}`],
      ]),
    ),
    summary:
      rows.length === 0
        ? "every kernel is the newest of its name"
        : rows.some(({ what }) => what === "pinned")
          ? "next: bootwright update"
          : `next: bootwright kernel pull ${rows[0]!.name}`,
    exit: rows.length === 0 ? EXIT.ok : EXIT.different,
  };
}

function projectPins({ config, lockFile }: Project) {
  const lock = loadLock(lockFile);
  return Object.values(config.kernels).flatMap((kernel) => {
    if (kernel.from !== "catalog" || kernel.version !== undefined) return [];
    const { arch } = config;
    const pin = lock[requestName({ type: "bundle", catalog: kernel.catalog, bundle: kernel.bundle, arch })];
    return pin?.type === "bundle" ? [{ name: kernel.bundle, arch, version: pin.version }] : [];
  });
}

export const describeOwn = ({ manifest, size, sha256, origin, file }: LibraryBundle) => ({
  name: manifest.name,
  version: manifest.version,
  arch: manifest.arch,
  release: manifest.release,
  features: [...manifest.features],
  size,
  sha256,
  file,
  origin: { ...origin },
});
