/** Why a stage ran, from reasons recorded when it was decided. */
import { shortDigest } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { formatDuration } from "../base/size.ts";
import { didYouMean } from "../base/suggest.ts";
import { type Decision, type DecisionRecord, loadDecisions, type Reason } from "../stage/decision.ts";
import { openProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

export interface ExplainOptions {
  /** A stage, an image, or a file of out/. */
  readonly subject: string;
}

export async function explain(session: Session, { subject }: ExplainOptions): Promise<Report> {
  await using project = await openProject(session, { readonly: true });
  const decisions = loadDecisions(project.store, project.configFile);
  const stage = findStage(subject, {
    decisions,
    images: imageStages(
      project.store.db.all("SELECT name, key FROM refs WHERE project = ?", project.configFile),
      decisions,
    ),
  });
  const record = decisions.get(stage)!;
  return {
    data: { stage, last: record.last as unknown as Json, lastRun: (record.lastRun ?? null) as unknown as Json },
    text: lines(stage, { record, decisions }).join("\n"),
  };
}

function findStage(
  subject: string,
  { decisions, images }: { decisions: ReadonlyMap<string, DecisionRecord>; images: ReadonlyMap<string, string> },
): string {
  if (decisions.has(subject)) return subject;
  const name = subject.replace(/^.*out\//, "").replace(/\.(efi|img|cpio)$/, "");
  const image = images.get(subject) ?? images.get(name);
  if (image !== undefined) return image;
  const ending = [...decisions.keys()].filter((stage) => stage.startsWith(`${subject}:`));
  if (ending.length === 1) return ending[0]!;
  const known = [...decisions.keys(), ...images.keys()];
  throw new BootwrightError(
    "NAME_UNKNOWN",
    `no stage, image or error code is called "${subject}"${didYouMean(subject, known)}`,
    {
      hint:
        known.length === 0
          ? "nothing has been built here yet: bootwright build"
          : `stages: ${[...decisions.keys()].sort().join(", ")}`,
    },
  );
}

const imageStages = (
  refs: readonly { name: string; key: string }[],
  decisions: ReadonlyMap<string, DecisionRecord>,
): Map<string, string> =>
  new Map(
    refs.flatMap(({ name, key }) =>
      [...decisions].filter(([, record]) => record.last.key === key).map(([stage]): [string, string] => [name, stage]),
    ),
  );

function lines(
  stage: string,
  { record, decisions }: { record: DecisionRecord; decisions: ReadonlyMap<string, DecisionRecord> },
): string[] {
  const { last, lastRun } = record;
  const out: string[] = [];
  if (last.outcome === "cached")
    out.push(`${stage} was cached at ${time(last.at)}: same inputs, parameters and version as a result in the store`);
  if (lastRun === undefined)
    return [...out, "  it has never run in this project: its result came from another project of this store"];
  out.push(
    `${stage} ${last.outcome === "ran" ? "ran" : "last ran"} at ${time(lastRun.at)} (${formatDuration(lastRun.ms)}) because`,
  );
  for (const reason of lastRun.reasons) out.push(...reasonLines(reason, { decisions, depth: 1 }));
  out.push(...sameLine(lastRun));
  return out;
}

const time = (ms: number): string => new Date(ms).toISOString().replace("T", " ").slice(0, 19);

function reasonLines(
  reason: Reason,
  { decisions, depth }: { decisions: ReadonlyMap<string, DecisionRecord>; depth: number },
): string[] {
  const indent = "  ".repeat(depth);
  switch (reason.type) {
    case "first":
      return [`${indent}first    nothing was built under this name before`];
    case "outputs-missing":
      return [`${indent}missing  its outputs were no longer in the store`];
    case "version":
      return [`${indent}version  ${reason.before} → ${reason.after}: Bootwright's own code changed`];
    case "outputs":
      return [`${indent}outputs  ${reason.before.join(", ")} → ${reason.after.join(", ")}`];
    case "param":
      return [`${indent}param    ${reason.path}  ${shown(reason.before)} → ${shown(reason.after)}`];
    default: {
      const change = `${reason.before === undefined ? "none" : shortDigest(reason.before)} → ${reason.after === undefined ? "none" : shortDigest(reason.after)}`;
      const line = `${indent}input    ${reason.name}${reason.from === undefined ? "" : ` (${reason.from})`}  ${change}`;
      const maker = reason.from === undefined ? undefined : decisions.get(reason.from)?.lastRun;
      // What made the input change, as long as that stage ran for a reason of its own.
      const deeper =
        maker === undefined || depth > 6
          ? []
          : maker.reasons.flatMap((inner) => reasonLines(inner, { decisions, depth: depth + 1 }));
      return [line, ...deeper];
    }
  }
}

function sameLine(run: Decision): string[] {
  const changed = new Set(run.reasons.map((reason) => (reason.type === "input" ? reason.name : "")));
  const same = Object.entries(run.inputs).filter(([name]) => !changed.has(name));
  if (run.reasons[0]?.type === "first" || same.length === 0) return [];
  return [
    `  same     ${same.map(([name, input]) => `${name} ${shortDigest(input.hash)}`).join(", ")}, stage version ${run.version}`,
  ];
}

const shown = (value: Json | undefined): string => {
  const text = value === undefined ? "none" : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
};
