/** Workflow files that follow from the project: written, and held against what it means today. */
import fs from "node:fs";
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError, ioError } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { type CiFacts, githubWorkflows, ROLES, type Role } from "../ci/github-workflows.ts";
import { lineDiff } from "../ci/line-diff.ts";
import { lintWorkflow } from "../ci/lint-workflow.ts";
import { formatWorkflow } from "../ci/workflow.ts";
import { publicPath } from "../provenance/material.ts";
import { openProject, type Project, planProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

export interface CiInitOptions {
  readonly role: Role;
  readonly runner: string;
  readonly container: string | undefined;
  readonly branch: string;
  readonly dryRun: boolean;
}

/** Files of other makers are never overwritten; our own are made anew. */
export async function ciInit(session: Session, { dryRun, ...choices }: CiInitOptions): Promise<Report> {
  await using project = await openProject(session, { readonly: true });
  const { dir, files } = workflowFiles(project, choices);
  const planned = files.map(({ name, text }) => {
    const before = readIfExists(path.join(dir, name))?.toString("utf8");
    if (before !== undefined && headerChoices(before) === undefined)
      throw new BootwrightError("EXISTS", `${name} is there, and was not written by bootwright ci init`, {
        hint: "rename it, or take it away",
      });
    return { name, text, before };
  });
  const changes = planned.filter(({ text, before }) => text !== before);
  for (const { name, text } of dryRun ? [] : changes) write(path.join(dir, name), text);
  const shown = (name: string) => path.relative(session.cwd, path.join(dir, name));
  return {
    data: { files: planned.map(({ name, text, before }) => ({ file: shown(name), changed: text !== before })), dryRun },
    text: planned
      .map(({ name, text, before }) => {
        if (text === before) return `${shown(name)} is as it should be`;
        return `${dryRun ? "would write" : "wrote"} ${shown(name)}`;
      })
      .join("\n"),
    quiet: changes.map(({ name }) => shown(name)).join("\n"),
    summary: dryRun ? "" : "commit them; `bootwright ci check` says when they no longer fit",
    exit: dryRun && changes.length > 0 ? EXIT.different : EXIT.ok,
  };
}

export async function ciCheck(session: Session): Promise<Report> {
  await using project = await openProject(session, { readonly: true });
  const { dir } = repositoryOf(project);
  const there = new Map(ownFiles(dir));
  const choices = [...there.values()].map(headerChoices).find((one) => one !== undefined);
  if (choices === undefined)
    throw new BootwrightError(
      "PATH_MISSING",
      `no workflow in ${path.relative(session.cwd, dir) || "."} was written by Bootwright`,
      {
        hint: "bootwright ci init github",
      },
    );
  const wanted = new Map(workflowFiles(project, choices).files.map(({ name, text }) => [name, text]));
  const names = [...new Set([...wanted.keys(), ...there.keys()])].sort();
  const drifted = names.flatMap((name) => {
    const [before, after] = [there.get(name), wanted.get(name)];
    if (before === after) return [];
    const what = before === undefined ? "is missing" : after === undefined ? "is not needed any more" : "differs";
    return [{ file: name, what, diff: before && after ? lineDiff(before, after) : [] }];
  });
  const mistakes = [...there].flatMap(([file, text]) => lintWorkflow(text).map((one) => ({ file, ...one })));
  return {
    data: {
      files: names,
      drifted: drifted.map((one) => ({ ...one, diff: [...one.diff] })),
      mistakes: mistakes.map((one) => ({ ...one })),
    },
    text: [
      ...drifted.flatMap(({ file, what, diff }) => [`${file} ${what}`, ...diff.map((line) => `  ${line}`)]),
      ...mistakes.map(({ file, rule, where, message }) => `${file} ${where}: ${message} (${rule})`),
      ...(drifted.length + mistakes.length === 0 ? [`${names.length} workflows are as they should be`] : []),
    ].join("\n"),
    summary: drifted.length > 0 ? `next: ${commandOf(choices)}` : "",
    exit: drifted.length + mistakes.length > 0 ? EXIT.different : EXIT.ok,
  };
}

type Choices = Pick<CiFacts, "role" | "runner" | "container" | "branch">;

function workflowFiles(
  project: Project,
  choices: Choices,
): { readonly dir: string; readonly files: readonly { name: string; text: string }[] } {
  const { root, dir } = repositoryOf(project);
  const header = [
    `Written by: ${commandOf(choices)}`,
    "Edit the config or that line's flags, not this file: `bootwright ci check` compares the two.",
  ];
  const facts = ciFacts(project, { ...choices, root });
  const files = Object.entries(githubWorkflows(facts)).map(([name, workflow]) => {
    const text = formatWorkflow(workflow, header);
    const mistake = lintWorkflow(text)[0];
    if (mistake !== undefined) throw new Error(`${name}: ${mistake.where}: ${mistake.message}`);
    return { name, text };
  });
  return { dir, files };
}

function ciFacts(project: Project, { root, ...choices }: Choices & { root: string }): CiFacts {
  const { config, configFiles } = project;
  const { ctx } = planProject(project, { images: [] });
  const own = configFiles.map((file) => publicPath(path.relative(config.dir, file)));
  const locals = [...ctx.locals.keys()].map(publicPath).map((name) => {
    const stat = fs.statSync(path.join(config.dir, name), { throwIfNoEntry: false });
    return name === "." ? "**" : stat?.isDirectory() ? `${name}/**` : name;
  });
  const tests = fs.globSync("**/*.boot.ts", { cwd: config.dir, exclude: ["node_modules/**", "out/**"] });
  const paths = [...own, "bootwright.lock", "package.json", "package-lock.json", ...locals, ...tests];
  return {
    ...choices,
    directory: path.relative(root, config.dir).split(path.sep).join("/"),
    paths: [...new Set(paths)].sort(),
    hasBootTests: tests.length > 0,
    targets: [...new Set(Object.values(config.publish).flatMap((one) => targetsOf(one, config)))].sort(),
    environments: Object.keys(config.environments),
  };
}

/** An image's address, or that of a kernel's catalog. */
function targetsOf({ to }: { readonly to?: unknown }, { catalogs }: Project["config"]): readonly string[] {
  return [to ?? []].flat().flatMap((one) => {
    const text = String(one);
    const catalog = /^catalog:(.+)$/.exec(text)?.[1];
    return catalog === undefined ? [text] : [catalogs[catalog]?.url ?? text];
  });
}

const commandOf = ({ role, runner, container, branch }: Choices): string =>
  `bootwright ci init github --role ${role} --runner ${runner}${container === undefined ? "" : ` --container ${container}`} --branch ${branch}`;

/** What a file of ours was made with; undefined for any other file. */
function headerChoices(text: string): Choices | undefined {
  const [, role, runner = "", container, branch = ""] =
    /^# Written by: bootwright ci init github --role (\S+) --runner (\S+)(?: --container (\S+@sha256:[0-9a-f]{64}))? --branch (\S+)$/m.exec(
      text,
    ) ?? [];
  const known = ROLES.find((one) => one === role);
  return known === undefined ? undefined : { role: known, runner, container, branch };
}

/** Workflows belong to the repository, whose top may be above the project. */
function repositoryOf({ config }: Project): { readonly root: string; readonly dir: string } {
  let root = config.dir;
  while (!fs.existsSync(path.join(root, ".git")) && root !== path.dirname(root)) root = path.dirname(root);
  if (!fs.existsSync(path.join(root, ".git"))) root = config.dir;
  return { root, dir: path.join(root, ".github/workflows") };
}

function* ownFiles(dir: string): Generator<[string, string]> {
  for (const name of fs.existsSync(dir) ? fs.readdirSync(dir).sort() : []) {
    if (!/^bootwright-[a-z]+\.yml$/.test(name)) continue;
    yield [name, fs.readFileSync(path.join(dir, name), "utf8")];
  }
}

function write(file: string, text: string): void {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    writeFileAtomic(file, text);
  } catch (error) {
    throw ioError("write", file, error);
  }
}
