/** The catalogs that a project's config names, opened for reading or publishing. */
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import type { Place, ReadablePlace } from "../base/place.ts";
import { catalogDirectory } from "../catalog/catalog-address.ts";
import { Library } from "../catalog/library.ts";
import { findBundle, type OpenedCatalog, openCatalog } from "../catalog/open-catalog.ts";
import { SeenSerials } from "../catalog/seen.ts";
import { webSource } from "../catalog/web-source.ts";
import { type MinisignKey, parseMinisignKey } from "../formats/minisign.ts";
import type { LockedBundle } from "../source/lock.ts";
import type { BundleRequest } from "../source/request.ts";
import { openPlace } from "./places.ts";
import type { Project } from "./project.ts";

export interface ProjectCatalog {
  readonly name: string;
  readonly source: ReadablePlace;
  readonly keys: readonly MinisignKey[];
}

export async function projectCatalog(project: Project, name: string): Promise<ProjectCatalog> {
  const { config, session } = project;
  const { url } = config.catalogs[name]!;
  const source = (await openPlace(project, url)) ?? webSource(url.replace(/\/+$/, ""), session);
  return { name, source, keys: catalogKeys(project, name) };
}

/** Throws UNSUPPORTED when the catalog can only be read. */
export async function catalogTarget(project: Project, name: string): Promise<Place> {
  const { url } = project.config.catalogs[name]!;
  const target = await openPlace(project, url);
  if (target !== undefined) return target;
  throw new BootwrightError("UNSUPPORTED", `catalog ${name} is at ${url}, which is there to read`, {
    hint: "publish into the directory that the web server serves: `url` may be a path",
  });
}

export function catalogKeys({ config }: Project, name: string): readonly MinisignKey[] {
  return config.catalogs[name]!.keys.map((label) => {
    const bytes = readIfExists(path.resolve(config.dir, label));
    if (bytes === undefined)
      throw new BootwrightError("PATH_MISSING", `${label}, a key of catalog ${name}, is not there`, {
        hint: "ask who runs the catalog for its public key; for a catalog of your own: `bootwright keys init`",
      });
    return parseMinisignKey(bytes.toString("utf8"), label);
  });
}

export async function openProjectCatalog(project: Project, name: string): Promise<OpenedCatalog> {
  const { offline, signal, dataDir } = project.session;
  const { url } = project.config.catalogs[name]!;
  if (offline && catalogDirectory(url, project.config.dir) === undefined)
    throw new BootwrightError("OFFLINE", `catalog ${name} is at ${url}, which --offline forbids to ask`);
  const { source, keys } = await projectCatalog(project, name);
  return openCatalog(source, { keys, seen: new SeenSerials(dataDir), signal });
}

/** Answers a request of a config's kernel. */
export async function pinBundle(project: Project, request: BundleRequest): Promise<LockedBundle> {
  const wish = { name: request.bundle, version: request.version, arch: request.arch };
  if (request.catalog === "local") {
    const found = new Library(project.session.dataDir).find(wish);
    if (found === undefined)
      throw new BootwrightError("NAME_UNKNOWN", `you have no bundle ${request.bundle} for ${request.arch}`, {
        hint: "bootwright kernel ls",
      });
    const { manifest, size, sha256 } = found;
    return { type: "bundle", version: manifest.version, arch: manifest.arch, serial: 0, size, sha256 };
  }
  const catalog = await openProjectCatalog(project, request.catalog);
  const { version, arch, size, sha256 } = findBundle(catalog, wish);
  return { type: "bundle", version, arch, serial: catalog.index.serial, size, sha256 };
}

export const isoNow = (): string => `${new Date(systemClock.now()).toISOString().slice(0, 19)}Z`;
