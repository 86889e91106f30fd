/** Builds the images of `publish`, and says under which names they go. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import type { PlannedImage } from "../plan/planned-image.ts";
import { planProvenance } from "../plan/provenance.ts";
import { planPublication } from "../plan/publications.ts";
import { publishedFile } from "../plan/published-file.ts";
import { wholeFile } from "../plan/whole-file.ts";
import { endingOf } from "../publish/ending.ts";
import { FILE_NAME } from "../publish/state.ts";
import type { NewFile } from "../publish/target.ts";
import { fillTemplate, type TemplateValues } from "../publish/template.ts";
import type { RunReport } from "../stage/scheduler.ts";
import type { OutputRef } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { BuiltProvenance } from "./attest-published.ts";
import { requireBudgets } from "./budget.ts";
import { imageFileName, runPlanned } from "./build.ts";
import { type Project, planPinnedWith } from "./project.ts";
import { buildFacts } from "./provenance.ts";
import { describeWanted, requestSignatures } from "./wanted-signatures.ts";

export type PublicationEntry = Extract<ResolvedConfig["publish"][string], { image: string }>;

export interface BuiltPublication {
  readonly entry: PublicationEntry;
  readonly file: NewFile;
  /** Where the entry wants it to be attested. */
  readonly provenance: BuiltProvenance | undefined;
}

/** `names`: of `publish`, images all. Throws SIGNATURE_INVALID when a signature is missing, UNSUPPORTED for a directory. */
export async function buildPublications(
  project: Project,
  names: readonly string[],
): Promise<readonly BuiltPublication[]> {
  if (names.length === 0) return [];
  const { config, store, session } = project;
  const entries = names.map((name) => ({ name, entry: config.publish[name] as PublicationEntry }));
  // First what writes the lock: a checkout whose lock has changed is no longer its commit.
  if (entries.some(({ entry }) => entry.attest !== undefined))
    await planPinnedWith(project, (ctx) => entries.map(({ entry }) => planPublication(ctx, entry.image)));
  const facts = await Promise.all(
    entries.map(({ entry }) => entry.attest && buildFacts(project, { builder: entry.attest.builder })),
  );
  const { planned, ctx } = await planPinnedWith(project, (ctx) =>
    entries.map(({ name, entry }, i) => {
      const publication = planPublication(ctx, entry.image);
      const image = publishedFile(ctx, publication.image);
      // A registry has a container image under its own digest, other places a file under the file's.
      const known = entry.to.startsWith("oci://") ? publication.image : image;
      const stated = facts[i] && planProvenance(ctx, known, facts[i]);
      return { name, entry, stated, ...publication, image, whole: wholeFile(ctx, image) };
    }),
  );
  const targets = planned.flatMap(({ image, release, stated, whole }) => [
    (whole ?? image.output).stage,
    ...(stated === undefined ? [] : [stated.slsa.stage, stated.spdx.stage, stated.cyclonedx.stage]),
    ...(release === undefined ? [] : [release.stage]),
    ...(image.named === undefined ? [] : [image.named.release.stage]),
  ]);
  const run = await runPlanned(project, targets);
  await requireBudgets(ctx, { store, run });
  const { wanted, dir } = requestSignatures(project, { targets, run, all: false });
  if (wanted.length > 0)
    throw new BootwrightError("SIGNATURE_INVALID", `not signed, and so not published: ${describeWanted(wanted)}`, {
      hint: `where the keys are: bootwright sign ${path.relative(session.cwd, dir)}; then here: bootwright attach`,
    });
  const output = (ref: OutputRef<BlobArtifact>) => run.output(ref.stage, ref.output) as BlobArtifact;
  const built = planned.map(({ name, entry, image, release, stated, whole }): BuiltPublication => {
    if (whole === undefined)
      throw new BootwrightError(
        "UNSUPPORTED",
        `publish.${name}: the image ${image.name} is a directory; files are published`,
        {
          hint: "publish an image that is one file (kind uki, efi, iso, disk, squashfs, tar …) or a container image (oci)",
        },
      );
    const kernel =
      release === undefined ? "" : store.blobs.readAll(run.output(release.stage, release.output)).toString().trim();
    const key = run.stages.find((report) => report.stage === image.output.stage.name)!.key;
    const { hash: sha256, size } = output(whole);
    const about = {
      publication: name,
      image: image.name,
      kind: image.kind,
      version: config.version ?? "",
      arch: image.arch ?? config.arch,
      kernel,
    };
    const words = { ...about, name: config.name, key: key.slice(0, 8), sha256 };
    const names = namesOf(entry, { config, words, own: ownName(image, { project, run, key }) });
    return {
      entry,
      file: { ...about, ...names, size, sha256, local: store.blobs.path(sha256) },
      provenance: stated && {
        slsa: output(stated.slsa),
        spdx: output(stated.spdx),
        cyclonedx: output(stated.cyclonedx),
      },
    };
  });
  requireDistinct(built);
  return built;
}

/** The name under out/, where the config gives one; else the ending alone. */
const ownName = (image: PlannedImage, built: { project: Project; run: RunReport; key: string }) => ({
  whole: image.named === undefined ? undefined : imageFileName(image, built),
  ending: endingOf(image.fileName).toLowerCase(),
});

interface NameParts {
  readonly config: ResolvedConfig;
  readonly words: { readonly [word: string]: string; readonly kernel: string };
  readonly own: { readonly whole: string | undefined; readonly ending: string };
}

function namesOf(
  entry: PublicationEntry,
  { config, words, own }: NameParts,
): Pick<NewFile, "name" | "immutable" | "moving"> {
  const { version, kernel, ...rest } = words;
  const values: TemplateValues = {
    ...rest,
    ...(config.version !== undefined && { version: config.version }),
    ...(kernel !== "" && { "kernel.release": kernel }),
  };
  const versioned = config.version !== undefined;
  const template = entry.name ?? own.whole ?? `{name}-{image}-${versioned ? "{version}" : "{key}"}-{arch}${own.ending}`;
  const tags = entry.immutable ?? tagsFor(entry.to, versioned);
  const names = {
    name: fillTemplate(template, values),
    immutable: tags.map((tag) => fillTemplate(tag, values)),
    moving: entry.moving,
  };
  const odd = [names.name, ...names.immutable].find((name) => !FILE_NAME.test(name));
  if (odd !== undefined)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `${odd} is no name to publish under: 1 to 160 letters, digits, ".", "_", "+", "~" and "-"`,
    );
  return names;
}

function tagsFor(to: string, versioned: boolean): readonly string[] {
  if (to.startsWith("github:")) return ["v{version}"];
  return to.startsWith("oci://") ? [...(versioned ? ["v{version}"] : []), "sha256-{sha256}"] : [];
}

function requireDistinct(built: readonly BuiltPublication[]): void {
  for (const [i, { entry, file }] of built.entries()) {
    const other = built.slice(0, i).find((one) => one.entry.to === entry.to && one.file.name === file.name);
    if (other !== undefined)
      throw new BootwrightError(
        "EXISTS",
        `publish.${other.file.publication} and publish.${file.publication} would both be ${file.name} at ${entry.to}`,
        { hint: "give one of them another `name`" },
      );
  }
}
