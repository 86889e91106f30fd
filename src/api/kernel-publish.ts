/** Builds the kernels that the config publishes and adds them to their catalogs as bundles. */
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { decodeManifest, describeBundle } from "../catalog/manifest.ts";
import { type NewBundle, type Published, publishBundles } from "../catalog/publish-bundle.ts";
import { SeenSerials } from "../catalog/seen.ts";
import { planBundle } from "../plan/bundles.ts";
import { loadCatalogKey } from "../sign/key-files.ts";
import { runPlanned } from "./build.ts";
import { catalogKeys, catalogTarget, isoNow } from "./catalogs.ts";
import { openProject, type Project, planPinnedWith } from "./project.ts";
import type { Report, Session } from "./session.ts";
import { describeWanted, requestSignatures } from "./wanted-signatures.ts";

export interface KernelPublishOptions {
  /** Names of `publish`; default all. */
  readonly names: readonly string[];
  readonly dryRun: boolean;
}

export async function kernelPublish(session: Session, { names, dryRun }: KernelPublishOptions): Promise<Report> {
  await using project = await openProject(session);
  const done = await publishKernels(project, { names: choose(project, names), dryRun });
  const fresh = done.filter(({ known }) => !known);
  return {
    data: {
      published: done.map(({ bundle: { name, version, arch }, ...rest }) => ({ name, version, arch, ...rest })),
      dryRun,
    },
    text: done.map((one) => describePublishedKernel(one, { dryRun })).join("\n"),
    exit: dryRun && fresh.length > 0 ? EXIT.different : EXIT.ok,
  };
}

export type PublishedKernel = Published & { readonly catalog: string };

export const describePublishedKernel = (
  { bundle, known, catalog }: PublishedKernel,
  { dryRun }: { dryRun: boolean },
): string =>
  known
    ? `${describeBundle(bundle)} is in catalog ${catalog} already`
    : `${dryRun ? "would publish" : "published"} ${describeBundle(bundle)} to catalog ${catalog}`;

/** `names`: of `publish`, bundles all. */
export async function publishKernels(
  project: Project,
  { names, dryRun }: KernelPublishOptions,
): Promise<readonly PublishedKernel[]> {
  const { session } = project;
  const bundles = await buildBundles(project, names);
  const done: PublishedKernel[] = [];
  for (const [catalog, some] of Map.groupBy(bundles, (one) => one.catalog)) {
    const published = await publishBundles(await catalogTarget(project, catalog), {
      bundles: some.map(({ bundle }) => bundle),
      name: catalog,
      secret: loadCatalogKey(project.config.keys[project.config.catalogs[catalog]!.sign!]!, project.config.dir),
      keys: catalogKeys(project, catalog),
      seen: new SeenSerials(session.dataDir),
      now: isoNow(),
      signal: session.signal,
      dryRun,
    });
    done.push(...published.map((one) => ({ ...one, catalog })));
  }
  return done;
}

function choose({ config }: Project, names: readonly string[]): readonly string[] {
  const all = Object.entries(config.publish).flatMap(([name, one]) => ("bundle" in one ? [name] : []));
  if (all.length === 0)
    throw new BootwrightError("CONFIG_INVALID", "the config publishes no kernel to a catalog", {
      hint: 'add: publish: { kernel: { bundle: "default", to: "catalog:kernels" } }',
    });
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new BootwrightError("NAME_UNKNOWN", `the config publishes no kernel under "${unknown}"`, {
      hint: `it publishes: ${all.join(", ")}`,
    });
  return names.length === 0 ? all : names;
}

async function buildBundles(
  project: Project,
  names: readonly string[],
): Promise<readonly { catalog: string; bundle: NewBundle }[]> {
  const { store, config } = project;
  const { planned } = await planPinnedWith(project, (ctx) => names.map((name) => planBundle(ctx, name)));
  const targets = planned.flatMap(({ bundle, manifest }) => [bundle.stage, manifest.stage]);
  const run = await runPlanned(project, targets);
  const { wanted, dir } = requestSignatures(project, { targets, run, all: false });
  if (wanted.length > 0)
    throw new BootwrightError("SIGNATURE_INVALID", `not signed, and so not published: ${describeWanted(wanted)}`, {
      hint: `where the keys are: bootwright sign ${path.relative(project.session.cwd, dir)}; then here: bootwright attach`,
    });
  return planned.map((one, i) => {
    const { hash, size } = run.output(one.bundle.stage, one.bundle.output);
    const manifest = store.blobs.readAll(run.output(one.manifest.stage, one.manifest.output));
    return {
      catalog: config.publish[names[i]!]!.to.slice("catalog:".length),
      bundle: { manifest: decodeManifest(manifest, one.name), local: store.blobs.path(hash), size, sha256: hash },
    };
  });
}
