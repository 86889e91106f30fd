/** Fetches artifacts of a release by digest: of the one that runs in an environment, or of one by its version. */
import path from "node:path";
import { formatSize } from "../base/size.ts";
import { fetchStage } from "../source/fetch.ts";
import { runPlanned } from "./build.ts";
import { linkOutput } from "./output.ts";
import { openProject } from "./project.ts";
import { artifactBytes } from "./release-artifacts.ts";
import { chooseSource, findArtifact, type ReleaseWish, resolveRelease } from "./release-sources.ts";
import type { Report, Session } from "./session.ts";

export interface PullOptions {
  /** Artifacts; default all. */
  readonly names: readonly string[];
  readonly wish: ReleaseWish;
  /** Of `sources.releases`; default the project's own platform, or the only source. */
  readonly from?: string;
  /** Directory; default `out/`. */
  readonly to?: string;
}

export async function pull(session: Session, { names, wish, from, to }: PullOptions): Promise<Report> {
  await using project = await openProject(session);
  const { store, configFile, config } = project;
  const release = await resolveRelease(project, { source: chooseSource(project, from), ...wish });
  const { document, digest } = release;
  const chosen =
    names.length === 0 ? document.artifacts : names.map((name) => findArtifact(release, { name, arch: config.arch }));
  const stages = chosen.map((artifact) =>
    fetchStage(
      `fetch:${artifact.repository}-${artifact.file}`,
      { hash: artifact.sha256, size: artifact.size },
      {
        context: { offline: session.offline },
        what: `${artifact.file} of ${document.version}`,
        open: (channels) => artifactBytes(project, artifact, channels),
      },
    ),
  );
  const run = await runPlanned(project, stages);
  const dir = to === undefined ? project.outDir : path.resolve(session.cwd, to);
  const pulled = chosen.map((artifact, i) => {
    const file = path.join(dir, artifact.file);
    const key = run.stages.find((report) => report.stage === stages[i]!.name)!.key;
    const name = `pulled:${artifact.repository}/${artifact.file}`;
    linkOutput(file, run.output(stages[i]!, "file"), { store, project: configFile, name, key });
    return { ...artifact, path: file };
  });
  return {
    data: { release: document.version, digest, artifacts: pulled.map((one) => ({ ...one })) },
    text: pulled
      .map((one) => `${path.relative(session.cwd, one.path)}  ${formatSize(one.size)}  sha256:${one.sha256}`)
      .join("\n"),
    quiet: pulled.map((one) => `sha256:${one.sha256}`).join("\n"),
    summary: `of ${document.platform} ${document.version}`,
  };
}
