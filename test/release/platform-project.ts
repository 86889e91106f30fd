/** Three repositories with bare remotes, and a project whose platform they are: for tests of releases. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { type CliResult, runCli } from "../support/cli.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

export const REPOSITORIES = ["builder", "kernel", "iso"] as const;

export interface PlatformProject {
  readonly dir: string;
  readonly remotes: string;
  readonly remote: (name: string) => string;
  readonly cli: (...args: string[]) => Promise<CliResult>;
  /** Must end with 0; gives the JSON document. */
  // biome-ignore lint/suspicious/noExplicitAny: each command has its own document, and a wrong member fails the test
  readonly json: (...args: string[]) => Promise<Record<string, any>>;
  /** Must fail; gives the error of the JSON document. */
  readonly refused: (...args: string[]) => Promise<{ code: string; message: string; hint?: string }>;
}

export const git = (dir: string, ...args: string[]): string =>
  execFileSync("git", ["-C", dir, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      HOME: dir,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "release",
      GIT_AUTHOR_EMAIL: "release@example.org",
      GIT_COMMITTER_NAME: "release",
      GIT_COMMITTER_EMAIL: "release@example.org",
    },
  }).trimEnd();

/** A commit on the remote's trunk; gives its name. */
export function commit(remote: string, message: string): string {
  const work = temporaryDir();
  git(work, "clone", "--quiet", remote, "work");
  const dir = path.join(work, "work");
  git(dir, "checkout", "--quiet", "-B", "main");
  fs.appendFileSync(path.join(dir, "file"), `${message}\n`);
  git(dir, "add", "file");
  git(dir, "commit", "--quiet", "-m", message);
  git(dir, "push", "--quiet", "origin", "main");
  return git(dir, "rev-parse", "HEAD");
}

export function bareRemotes(): string {
  const remotes = temporaryDir();
  for (const name of [...REPOSITORIES, "platform"]) {
    git(remotes, "init", "--quiet", "--bare", "--initial-branch=main", `${name}.git`);
    if (name !== "platform") commit(path.join(remotes, `${name}.git`), `feat: the ${name}`);
  }
  return remotes;
}

export interface PlatformOptions {
  readonly record?: string;
  readonly more?: string;
  readonly check?: string;
  /** Default: new ones. */
  readonly remotes?: string;
  /** What the config says of a repository. */
  readonly address?: (name: string) => string;
  /** Where repositories publish, by name. */
  readonly publishes?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

export async function platformProject(options: PlatformOptions = {}): Promise<PlatformProject> {
  const remotes = options.remotes ?? bareRemotes();
  const remote = (name: string) => path.join(remotes, `${name}.git`);
  const check = options.check ?? "none";
  const dir = writeProject(`
name: truthdb
keys:
  release: { file: ./keys/release, type: ed25519 }
  approver: { file: ./keys/approver, type: ed25519 }
platform:
  repositories:
${REPOSITORIES.map((name) => `    ${name}: { git: "${(options.address ?? remote)(name)}", check: ${check}, publishes: [${options.publishes?.[name] ?? ""}] }`).join("\n")}
  record: ${options.record ?? "./record"}
  git: ${remote("platform")}
  key: release
  approvers: { approver: ./keys/approver.pub }
environments: { test: {}, staging: { after: test }, prod: { after: staging, approvals: 1 } }
${options.more ?? ""}
`);
  const env = { BOOTWRIGHT_DATA: path.join(dir, "user"), BOOTWRIGHT_WHO: "release@example.org", ...options.env };
  const cli = (...args: string[]) => runCli(args, { cwd: dir, env });
  const json = async (...args: string[]) => {
    const { exit, stdout, stderr } = await cli(...args, "--json");
    expect(exit, stderr + stdout).toBe(0);
    return JSON.parse(stdout);
  };
  const refused = async (...args: string[]) => {
    const { exit, stdout } = await cli(...args, "--json");
    expect(exit, stdout).not.toBe(0);
    return JSON.parse(stdout).error;
  };
  expect((await cli("keys", "init")).exit).toBe(0);
  return { dir, remotes, remote, cli, json, refused };
}

export interface MakerOptions {
  readonly image?: string;
  /** Where it publishes to. */
  readonly to: string;
  readonly builder: string;
  readonly more?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A checkout of the platform's repository "kernel": one image of a file, published with statements of the key "maker". */
export async function attestingMaker(
  { remote }: Pick<PlatformProject, "remote">,
  { image = "kernel", to, builder, more = "", env = {} }: MakerOptions,
): Promise<string> {
  const dir = path.join(temporaryDir(), "kernel");
  git(path.dirname(dir), "clone", "--quiet", remote("kernel"), "kernel");
  writeProject(
    `
name: kernel
version: "0.1.0"
trees: { root: { from: [{ dir: ./root }] } }
images: { ${image}: { kind: tar, tree: root, compress: none } }
keys: { maker: { file: ./keys/maker, type: p256 }, other: { file: ./keys/other, type: p256 } }
publish: { ${image}: { image: ${image}, to: "${to}", attest: { key: maker, builder: "${builder}" } } }
${more}
`,
    { "root/hello": "hello\n", ".gitignore": "/keys/\n/out/\n/data of the user/\n" },
    dir,
  );
  const keys = await runCli(["keys", "init"], { cwd: dir, env });
  expect(keys.exit, keys.stderr).toBe(0);
  git(dir, "add", "--all");
  git(dir, "commit", "--quiet", "-m", "feat: a kernel");
  git(dir, "push", "--quiet", "origin", "HEAD:main");
  return dir;
}

/** A release goes all its way, with the approval that it needs. */
export async function promoteToProd({ json }: Pick<PlatformProject, "json">, version: string): Promise<void> {
  for (const name of ["test", "staging"]) await json("promote", name, version);
  await json("approve", "prod", version, "--key", "keys/approver");
  await json("promote", "prod", version);
}
