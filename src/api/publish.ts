/** Publishes what the config's `publish` names: images to directories, buckets, registries and releases, kernels to catalogs. */
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { didYouMean } from "../base/suggest.ts";
import type { PublishedFiles } from "../publish/publish-files.ts";
import { publishFiles } from "../publish/publish-files.ts";
import { addressOf } from "../publish/read.ts";
import { loadCatalogKey } from "../sign/key-files.ts";
import { attestPublished, removeAttested } from "./attest-published.ts";
import { isoNow } from "./catalogs.ts";
import { describePublishedKernel, publishKernels } from "./kernel-publish.ts";
import { openProject, type Project } from "./project.ts";
import { type BuiltPublication, buildPublications } from "./publications.ts";
import { publishTarget } from "./publish-target.ts";
import { runningDigests } from "./running-digests.ts";
import type { Report, Session } from "./session.ts";

export interface PublishOptions {
  /** Names of `publish`; default all. */
  readonly names: readonly string[];
  readonly dryRun: boolean;
  /** SHA-256 of files, or of manifests in a registry, that no retention takes away: what environments point at. */
  readonly protectedDigests?: ReadonlySet<string>;
}

export async function publish(session: Session, options: PublishOptions): Promise<Report> {
  await using project = await openProject(session);
  const { names, dryRun } = { ...options, names: choosePublications(project, options.names) };
  const images = names.filter((name) => "image" in project.config.publish[name]!);
  const built = await buildPublications(project, images);
  const places: PublishedPlace[] = [];
  for (const [to, some] of Map.groupBy(built, ({ entry }) => entry.to))
    places.push(
      to.startsWith("github:")
        ? await (await import("./publish-github.ts")).publishReleases(project, { to, some, dryRun })
        : await publishTo(project, { to, some, options }),
    );
  const bundles = names.filter((name) => !images.includes(name));
  const kernels = bundles.length === 0 ? [] : await publishKernels(project, { names: bundles, dryRun });
  const changes = places.some(({ files }) => files.some(({ known }) => !known)) || kernels.some(({ known }) => !known);
  return {
    data: {
      published: places.flatMap(({ to, address, files }) =>
        files.map(({ known, ...file }) => ({ ...file, to, address: addressOf(address, file), known })),
      ),
      retired: places.flatMap(({ to, retired, left }) =>
        retired.map((name) => ({ to, name, removed: !left.includes(name) })),
      ),
      kernels: kernels.map(({ bundle: { name, version, arch }, known, catalog }) => ({
        ...{ name, version, arch, known, catalog },
      })),
      swept: [],
      dryRun,
    },
    text: [
      ...places.flatMap((place) => describe(place, dryRun)),
      ...kernels.map((kernel) => describePublishedKernel(kernel, { dryRun })),
    ].join("\n"),
    quiet: places.flatMap(({ files }) => files.map(({ digest }) => `sha256:${digest}`)).join("\n"),
    exit: dryRun && changes ? EXIT.different : EXIT.ok,
  };
}

export interface PublishedPlace extends PublishedFiles {
  readonly to: string;
  readonly address: string;
}

async function publishTo(
  project: Project,
  { to, some, options }: { to: string; some: readonly BuiltPublication[]; options: PublishOptions },
): Promise<PublishedPlace> {
  const { config, session } = project;
  const target = await publishTarget(project, to);
  const signs = [...new Set(some.flatMap(({ entry }) => entry.sign ?? []))];
  const published = await publishFiles(target, {
    files: some.map(({ file }) => file),
    keep: Object.fromEntries(some.map(({ file, entry }) => [file.publication, entry.keep])),
    protectedDigests: options.protectedDigests ?? (await runningDigests(project)),
    views: some.flatMap(({ entry }): readonly string[] => entry.index ?? ["SHA256SUMS", "index.html"]),
    secret: signs[0] === undefined ? undefined : loadCatalogKey(config.keys[signs[0]]!, config.dir),
    now: isoNow(),
    signal: session.signal,
    dryRun: options.dryRun,
  });
  const { address } = target.documents;
  if (!options.dryRun)
    for (const { entry, file, provenance } of some) {
      if (entry.attest === undefined || provenance === undefined) continue;
      const { digest } = published.files.find(({ name }) => name === file.name)!;
      const about = { name: file.name, local: file.local, digest, provenance, key: entry.attest.key };
      await attestPublished(project, { place: target.documents, about });
    }
  if (!options.dryRun && target.lists) await removeAttested(target.documents, published.retired);
  return { to, ...published, address };
}

/** `names`: of `publish`; default all. Throws CONFIG_INVALID, NAME_UNKNOWN. */
export function choosePublications({ config }: Project, names: readonly string[]): readonly string[] {
  const all = Object.keys(config.publish);
  if (all.length === 0)
    throw new BootwrightError("CONFIG_INVALID", "the config publishes nothing", {
      hint: 'add: publish: { iso: { image: "iso", to: "./published" } }',
    });
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new BootwrightError(
      "NAME_UNKNOWN",
      `the config publishes nothing under "${unknown}"${didYouMean(unknown, all)}`,
      { hint: `it publishes: ${all.join(", ")}` },
    );
  return names.length === 0 ? all : [...new Set(names)];
}

function describe({ address, files, retired, left }: PublishedPlace, dryRun: boolean): readonly string[] {
  return [
    ...files.map((file) =>
      file.known
        ? `${file.name} is published at ${address} already`
        : `${dryRun ? "would publish" : "published"} ${file.name} (${formatSize(file.size)}, sha256:${file.sha256.slice(0, 12)}) to ${address}`,
    ),
    ...retired.map((name) =>
      left.includes(name)
        ? `${name} is no longer listed at ${address}; its bytes stay: the registry removes nothing, or another name means them too`
        : `${dryRun ? "would remove" : "removed"} ${name} from ${address}`,
    ),
  ];
}
