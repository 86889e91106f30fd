/** Takes a bundle from a catalog into the user's library: verified whole before it is there. */
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { openBundle } from "../catalog/bundle-reader.ts";
import { bundleUrl } from "../catalog/catalog-address.ts";
import { Library, type LibraryBundle } from "../catalog/library.ts";
import { decodeManifest, describeBundle } from "../catalog/manifest.ts";
import { type BundleWish, findBundle } from "../catalog/open-catalog.ts";
import { fetchBundle } from "../source/fetch.ts";
import { importArchive } from "../source/import-archive.ts";
import { blobOf, treeOf } from "../stage/stage.ts";
import { runPlanned } from "./build.ts";
import { isoNow, openProjectCatalog } from "./catalogs.ts";
import { describeOwn } from "./kernel-list.ts";
import { openProject, type Project } from "./project.ts";
import { remoteBytes } from "./remote-bytes.ts";
import type { Report, Session } from "./session.ts";

export interface KernelPullOptions {
  /** NAME or NAME@VERSION. */
  readonly names: readonly string[];
  /** Default: the only one. */
  readonly catalog?: string;
}

export async function kernelPull(session: Session, { names, catalog }: KernelPullOptions): Promise<Report> {
  await using project = await openProject(session);
  const from = chooseCatalog(project, catalog);
  const pulled: LibraryBundle[] = [];
  for (const name of names)
    pulled.push(await pull(project, { from, wish: parseBundleName(name, project.config.arch) }));
  return {
    data: { kernels: pulled.map(describeOwn) },
    text: pulled
      .map(
        ({ manifest, size, sha256 }) =>
          `${describeBundle(manifest)}  ${formatSize(size)}  sha256:${sha256.slice(0, 12)}`,
      )
      .join("\n"),
    quiet: pulled.map(({ sha256 }) => `sha256:${sha256}`).join("\n"),
    summary: `next: kernel: { from: "catalog", catalog: "${from}", bundle: "${pulled[0]?.manifest.name}" }`,
  };
}

async function pull(project: Project, { from, wish }: { from: string; wish: BundleWish }): Promise<LibraryBundle> {
  const { session, config, store } = project;
  const catalog = await openProjectCatalog(project, from);
  const entry = findBundle(catalog, wish);
  const library = new Library(session.dataDir);
  const there = library.find(entry);
  if (there?.sha256 === entry.sha256) return there;
  const url = bundleUrl(config.catalogs[from]!.url, { projectDir: config.dir, sha256: entry.sha256 });
  const name = `${entry.name}-${entry.version}`;
  const fetch = fetchBundle(
    { name, sha256: entry.sha256, size: entry.size },
    {
      ...{ offline: session.offline, url, file: undefined },
      remoteBytes: (place) => remoteBytes(project, place),
    },
  );
  const unpacked = importArchive({ name: `unpack:${name}`, archive: blobOf(fetch, "file"), what: name });
  const opened = openBundle({
    name: `verify:${name}`,
    tree: treeOf(unpacked, "tree"),
    expected: { name: entry.name, version: entry.version, arch: entry.arch },
    requires: [],
  });
  const run = await runPlanned(project, [opened, fetch]);
  const manifestBytes = store.blobs.readAll(run.output(opened, "manifest"));
  return library.add(
    {
      manifest: decodeManifest(manifestBytes, name),
      size: entry.size,
      sha256: entry.sha256,
      origin: { kind: "catalog", from: config.catalogs[from]!.url, at: isoNow() },
    },
    { from: store.blobs.path(entry.sha256), manifestBytes },
  );
}

function chooseCatalog({ config }: Project, wanted: string | undefined): string {
  const names = Object.keys(config.catalogs);
  const chosen = wanted ?? (names.length === 1 ? names[0] : undefined);
  if (chosen !== undefined && names.includes(chosen)) return chosen;
  throw new BootwrightError(
    "NAME_UNKNOWN",
    wanted !== undefined
      ? `no catalog is named "${wanted}"`
      : names.length === 0
        ? "the config has no catalogs"
        : "say which catalog with --catalog",
    {
      hint:
        names.length === 0
          ? 'add one: catalogs: { kernels: { url: "https://…", keys: ["./keys/catalog.pub"] } }'
          : `catalogs: ${names.join(", ")}`,
    },
  );
}

/** "generic-6.12" or "generic-6.12@6.12.48". */
export function parseBundleName<A>(text: string, arch: A): { name: string; version: string | undefined; arch: A } {
  const at = text.indexOf("@");
  return at < 0
    ? { name: text, version: undefined, arch }
    : { name: text.slice(0, at), version: text.slice(at + 1), arch };
}
