/** The stage graph, and what would run; writes nothing. */

import { shortDigest } from "../base/digest.ts";
import { EXIT } from "../base/error-codes.ts";
import { formatDuration } from "../base/size.ts";
import { describePin } from "../source/lock.ts";
import { type Forecast, forecastStages } from "../stage/forecast.ts";
import { openProject, planProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

export interface PlanOptions {
  readonly images: readonly string[];
  readonly graph?: "mermaid" | "dot";
  /** Exit 10 when something would run. */
  readonly detailedExitCode: boolean;
}

export async function plan(session: Session, options: PlanOptions): Promise<Report> {
  await using project = await openProject(session, { readonly: true });
  const { images, ctx, lock } = planProject(project, options);
  const stages = forecastStages(
    images.map((image) => image.output.stage),
    { store: project.store, project: project.configFile },
  );
  const waiting = stages.filter((stage) => stage.state !== "cached");
  const sources = [...ctx.requests.keys()]
    .sort()
    .map((name) => ({ name, pin: lock[name] === undefined ? null : describePin(lock[name]) }));
  const graph =
    options.graph === undefined ? undefined : options.graph === "dot" ? dotGraph(stages) : mermaidGraph(stages);
  return {
    data: {
      images: images.map(({ name, kind, output }) => ({ name, kind, stage: output.stage.name })),
      sources,
      stages: stages.map((stage) => ({ ...stage, needs: [...stage.needs] })),
      wouldRun: waiting.length,
    },
    text: graph ?? planText(stages, sources),
    summary:
      waiting.length === 0
        ? `nothing to do: all ${stages.length} stages are cached`
        : `${waiting.length} of ${stages.length} stages would run\nnext: bootwright build`,
    exit: options.detailedExitCode && waiting.length > 0 ? EXIT.different : EXIT.ok,
  };
}

function planText(stages: readonly Forecast[], sources: readonly { name: string; pin: string | null }[]): string {
  const width = Math.max(...stages.map((stage) => stage.name.length));
  const lines = stages.map((stage) => {
    const name = stage.name.padEnd(width);
    if (stage.state === "cached") return `✓ ${name}  cached     ${shortDigest(stage.key!)}`;
    if (stage.state === "runs")
      return `▸ ${name}  would run  ${stage.reason}${stage.lastMs === undefined ? "" : ` (last took ${formatDuration(stage.lastMs)})`}`;
    return `· ${name}  may run    ${stage.reason}`;
  });
  const unpinned = sources
    .filter((source) => source.pin === null)
    .map((source) => `? ${source.name}: not in the lock yet; \`bootwright build\` or \`bootwright update\` pins it`);
  return [...lines, ...unpinned].join("\n");
}

const identifiers = (stages: readonly Forecast[]) => new Map(stages.map((stage, i) => [stage.name, `s${i}`]));

function mermaidGraph(stages: readonly Forecast[]): string {
  const id = identifiers(stages);
  const lines = ["flowchart LR"];
  for (const stage of stages)
    lines.push(`  ${id.get(stage.name)}["${stage.name.replaceAll('"', "'")}"]:::${stage.state}`);
  for (const stage of stages) for (const need of stage.needs) lines.push(`  ${id.get(need)} --> ${id.get(stage.name)}`);
  lines.push("  classDef cached fill:#e8f5e9", "  classDef runs fill:#fff3e0", "  classDef unknown fill:#f5f5f5");
  return lines.join("\n");
}

function dotGraph(stages: readonly Forecast[]): string {
  const colour = { cached: "palegreen", runs: "orange", unknown: "lightgrey" };
  const lines = ["digraph bootwright {", "  rankdir=LR;", "  node [shape=box, style=filled];"];
  for (const stage of stages) lines.push(`  ${JSON.stringify(stage.name)} [fillcolor=${colour[stage.state]}];`);
  for (const stage of stages)
    for (const need of stage.needs) lines.push(`  ${JSON.stringify(need)} -> ${JSON.stringify(stage.name)};`);
  return [...lines, "}"].join("\n");
}
