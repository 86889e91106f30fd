/** Builds images into `out/`. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { formatDuration, formatSize } from "../base/size.ts";
import { BundleUses } from "../catalog/uses.ts";
import type { PlanContext } from "../plan/context.ts";
import type { PlannedImage } from "../plan/planned-image.ts";
import { wholeFile } from "../plan/whole-file.ts";
import { explainGone, PackageGone } from "../source/fetch.ts";
import { orderStages } from "../stage/graph.ts";
import { type RunReport, runStages } from "../stage/scheduler.ts";
import type { AnyStage, OutputRef } from "../stage/stage.ts";
import type { Artifact } from "../store/artifact.ts";
import { requireBudgets } from "./budget.ts";
import { linkOutput } from "./output.ts";
import { projectResolver } from "./pins.ts";
import { openProject, type Project, type ProjectPlan, planPinned } from "./project.ts";
import type { Report, Session } from "./session.ts";
import { requireStageTools } from "./stage-tools.ts";
import { describeWanted, requestSignatures, type SignatureRequest } from "./wanted-signatures.ts";

export interface BuildOptions {
  /** Default: all images. */
  readonly images: readonly string[];
  /** File or directory to put the result in; default: out/. */
  readonly output?: string;
  /** Say the digest of every image: that of a disk takes reading it. */
  readonly digests?: boolean;
}

export interface BuiltImage {
  readonly image: PlannedImage;
  readonly artifact: Artifact;
  /** Of the file's bytes, or of the tree; undefined where nobody asked for `digests` and finding it out takes time. */
  readonly digest: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** Absolute path of the result. */
  readonly file: string;
}

export async function build(session: Session, options: BuildOptions): Promise<Report> {
  await using project = await openProject(session);
  const { built, run, request } = await buildImages(project, options);
  const images = built.map(({ image, file, digest, size }) => ({
    ...{ name: image.name, kind: image.kind, file },
    ...(digest !== undefined && { digest: `sha256:${digest}` }),
    size,
  }));
  const next = built.find(({ image }) => image.esp !== undefined || image.direct !== undefined);
  const shown = (file: string) => path.relative(session.cwd, file) || ".";
  const unsigned = request.wanted.map(({ what, key, digest }) => ({ what, key, digest }));
  const suggestion =
    unsigned.length > 0
      ? `\nnot signed: ${describeWanted(request.wanted)}\nnext, where the keys are: bootwright sign ${shown(request.dir)}`
      : next === undefined
        ? ""
        : `\nnext: bootwright boot ${next.image.name}`;
  return {
    data: { images, unsigned, ran: run.ran, cached: run.cached, ms: Math.round(run.ms) },
    text: images
      .map(({ file, size, digest = "" }) => `${shown(file)}  ${formatSize(size)}  ${digest.slice(0, 19)}`.trimEnd())
      .join("\n"),
    quiet: images.flatMap(({ digest }) => digest ?? []).join("\n"),
    summary: `built in ${formatDuration(run.ms)}: ${run.ran} stage${run.ran === 1 ? "" : "s"} ran, ${run.cached} cached${suggestion}`,
  };
}

export interface BuildWishes extends BuildOptions {
  /** Further outputs that are wanted, unlinked. */
  readonly extra?: (image: PlannedImage, ctx: PlanContext) => readonly OutputRef[];
}

/** Builds and links; what `boot`, `test` and `dev` start from. */
export async function buildImages(
  project: Project,
  options: BuildWishes,
): Promise<{ built: BuiltImage[]; run: RunReport; plan: ProjectPlan; request: SignatureRequest }> {
  const plan = await planPinned(project, options.images);
  const extras = plan.images.flatMap((image) => [
    ...(options.extra?.(image, plan.ctx) ?? []),
    ...(image.named === undefined ? [] : [image.named.release]),
  ]);
  const whole = plan.images.map((image) => (options.digests ? wholeFile(plan.ctx, image) : undefined) ?? image.output);
  const targets = [...plan.images.map((image) => image.output), ...whole, ...extras].map((ref) => ref.stage);
  const run = await runPlanned(project, targets);
  await requireBudgets(plan.ctx, { store: project.store, run });
  const output = options.output === undefined ? undefined : path.resolve(project.session.cwd, options.output);
  if (output !== undefined && plan.images.length > 1 && path.extname(output) !== "")
    throw new BootwrightError("USAGE", "--output names a file, but there are several images", {
      hint: "name a directory, or one image",
    });
  const built = plan.images.map((image, i): BuiltImage => {
    const artifact = run.output(image.output.stage, image.output.output);
    const key = run.stages.find((report) => report.stage === image.output.stage.name)!.key;
    const fileName = imageFileName(image, { project, run, key });
    const file =
      output === undefined
        ? path.join(project.outDir, fileName)
        : path.extname(output) !== ""
          ? output
          : path.join(output, fileName);
    linkOutput(file, artifact, { store: project.store, project: project.configFile, name: image.name, key });
    const { kind, hash, size } = run.output(whole[i]!.stage, whole[i]!.output);
    if (kind === "extents") return { image, artifact, file, digest: undefined, size: fs.statSync(file).size };
    return { image, artifact, file, digest: hash, size };
  });
  noteBundles(project, plan);
  const all = built.length === Object.keys(project.config.images).length;
  const request = requestSignatures(project, { targets, run, all });
  return { built, run, plan, request };
}

/** So that `kernel rm` can say who uses a bundle. */
function noteBundles({ session, configFile, lockFile }: Project, { ctx, lock }: ProjectPlan): void {
  const pins = [...ctx.requests.keys()].map((request) => lock[request]);
  const bundles = pins.flatMap((pin) => (pin?.type === "bundle" ? [pin.sha256] : []));
  if (bundles.length > 0) new BundleUses(session.dataDir).note(configFile, { lockFile, bundles });
}

/** "vmlinuz-{kernel.release}-{key}.efi" → "vmlinuz-6.12.48-truthdb-1a2b3c4d.efi". */
export function imageFileName(
  image: PlannedImage,
  { project: { config, store }, run, key }: { project: Project; run: RunReport; key: string },
): string {
  if (image.named === undefined) return image.fileName;
  const { template, release } = image.named;
  const words: Readonly<Record<string, string>> = {
    name: image.name,
    version: config.version ?? "0",
    arch: config.arch,
    key: key.slice(0, 8),
    "kernel.release": store.blobs.readAll(run.output(release.stage, release.output)).toString().trim(),
  };
  return template.replaceAll(/\{([^{}]+)\}/g, (_, word: string) => words[word]!);
}

export async function runPlanned(project: Project, targets: readonly AnyStage[]): Promise<RunReport> {
  const { session, store, configFile, config } = project;
  requireStageTools(orderStages(targets), store);
  try {
    return await runStages(targets, {
      store,
      emit: session.emit,
      signal: session.signal,
      project: configFile,
      ...(session.jobs !== undefined && { jobs: session.jobs }),
    });
  } catch (error) {
    if (!(error instanceof PackageGone)) throw error;
    throw await explainGone(error, await projectResolver(project), config.arch === "aarch64" ? "arm64" : "amd64").catch(
      () => error,
    );
  }
}
