/** What a workflow must hold, whoever wrote it: nothing that somebody else can change runs with more than it needs. */
import { parseDocument } from "yaml";

export type WorkflowRule =
  | "syntax"
  | "pinned"
  | "permissions"
  | "injection"
  | "timeout"
  | "concurrency"
  | "shell"
  | "credentials"
  | "trigger";

export interface WorkflowMistake {
  readonly rule: WorkflowRule;
  /** "jobs.build.steps[2]". */
  readonly where: string;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function lintWorkflow(text: string): readonly WorkflowMistake[] {
  const document = parseDocument(text, { logLevel: "silent" });
  const fault = document.errors[0];
  if (fault !== undefined) return [{ rule: "syntax", where: "", message: fault.message.split("\n")[0]! }];
  const workflow = fieldsOf(readValue(document));
  if (workflow === undefined) return [{ rule: "syntax", where: "", message: "it is no map" }];
  return [...lintTop(workflow), ...lintJobs(workflow)];
}

/** Aliases may be made to blow up. */
function readValue(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    return undefined;
  }
}

function lintTop(workflow: Fields): readonly WorkflowMistake[] {
  const found: WorkflowMistake[] = [];
  const permissions = fieldsOf(workflow.permissions);
  if (permissions === undefined || Object.keys(permissions).length > 0)
    found.push({ rule: "permissions", where: "permissions", message: "must be {}: each job asks for what it needs" });
  if (workflow.concurrency === undefined)
    found.push({
      rule: "concurrency",
      where: "concurrency",
      message: "is not set: two runs could do the same at once",
    });
  if (fieldsOf(fieldsOf(workflow.defaults)?.run)?.shell !== "bash")
    found.push({
      rule: "shell",
      where: "defaults.run.shell",
      message: "must be bash, which stops at the first failure",
    });
  if (triggersOf(workflow.on).includes("pull_request_target"))
    found.push({ rule: "trigger", where: "on", message: "pull_request_target gives secrets to what strangers wrote" });
  return found;
}

const triggersOf = (on: unknown): readonly string[] =>
  typeof on === "string" ? [on] : Array.isArray(on) ? on.map(String) : Object.keys(fieldsOf(on) ?? {});

function lintJobs(workflow: Fields): readonly WorkflowMistake[] {
  return Object.entries(fieldsOf(workflow.jobs) ?? {}).flatMap(([name, value]) => {
    const job = fieldsOf(value) ?? {};
    const where = `jobs.${name}`;
    const found: WorkflowMistake[] = [];
    if (fieldsOf(job.permissions) === undefined)
      found.push({ rule: "permissions", where, message: "the job does not say what it may do" });
    if (typeof job["timeout-minutes"] !== "number" && job.uses === undefined)
      found.push({ rule: "timeout", where, message: "a job that hangs would run for six hours: timeout-minutes" });
    found.push(...lintUses(job.uses, where), ...lintContainer(job.container, where));
    const steps = Array.isArray(job.steps) ? job.steps : [];
    return [...found, ...steps.flatMap((step, i) => lintStep(fieldsOf(step) ?? {}, `${where}.steps[${i}]`))];
  });
}

function lintStep(step: Fields, where: string): readonly WorkflowMistake[] {
  const found: WorkflowMistake[] = [...lintUses(step.uses, where)];
  if (typeof step.run === "string" && step.run.includes("${{"))
    found.push({
      rule: "injection",
      where,
      message: "an expression in a script is pasted into it as it is; hand it over in env",
    });
  if (typeof step.uses === "string" && step.uses.startsWith("actions/checkout@")) {
    if (fieldsOf(step.with)?.["persist-credentials"] === undefined)
      found.push({ rule: "credentials", where, message: "say persist-credentials: git would keep the run's token" });
  }
  return found;
}

function lintUses(uses: unknown, where: string): readonly WorkflowMistake[] {
  if (typeof uses !== "string" || uses.startsWith("./")) return [];
  const pinned = uses.startsWith("docker://") ? /@sha256:[0-9a-f]{64}$/ : /@[0-9a-f]{40}$/;
  return pinned.test(uses) ? [] : [{ rule: "pinned", where, message: `${uses} is not pinned by a commit` }];
}

/** By name, or with options. */
function lintContainer(container: unknown, where: string): readonly WorkflowMistake[] {
  const image = fieldsOf(container)?.image ?? container;
  if (image === undefined || (typeof image === "string" && /@sha256:[0-9a-f]{64}$/.test(image))) return [];
  return [{ rule: "pinned", where, message: `the container ${String(image)} is not pinned by a digest` }];
}

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
