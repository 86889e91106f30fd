import { expect, test } from "vitest";
import { ACTIONS } from "./actions.ts";
import { type CiFacts, githubWorkflows, ROLES } from "./github-workflows.ts";
import { lintWorkflow } from "./lint-workflow.ts";
import { formatWorkflow } from "./workflow.ts";

const FACTS: CiFacts = {
  role: "all",
  runner: "ubuntu-24.04",
  container: undefined,
  branch: "main",
  directory: "",
  paths: ["bootwright.config.ts", "kernel/**"],
  hasBootTests: true,
  targets: ["github:example/iso", "oci://ghcr.io/example/kernel", "s3://releases/kernel"],
  environments: ["test", "staging", "prod"],
};

const texts = (change: Partial<CiFacts> = {}) =>
  Object.entries(githubWorkflows({ ...FACTS, ...change })).map(
    ([name, workflow]) => [name, formatWorkflow(workflow, ["A header."])] as const,
  );

test.each(texts())("%s reads as it should", async (name, text) => {
  await expect(text).toMatchFileSnapshot(`golden/${name}`);
});

const IMAGE = `registry.example.org/bootwright/builder-qemu:v0.1.0@sha256:${"0".repeat(64)}`;

test.each(texts({ container: IMAGE }))("in a container, %s reads as it should", async (name, text) => {
  await expect(text).toMatchFileSnapshot(`golden/container/${name}`);
});

test("a container on own runners has no more rights than a sandbox needs", () => {
  for (const [name, text] of texts({ container: IMAGE, runner: "self-hosted,kvm" })) {
    expect(lintWorkflow(text), name).toEqual([]);
    expect(text).not.toMatch(/privileged|sudo|npx|npm ci/);
  }
});

test.each(ROLES)("role %s keeps our own rules, on hosted and own runners, at the top and below", (role) => {
  for (const runner of ["ubuntu-24.04", "self-hosted,kvm"])
    for (const directory of ["", "images/iso"])
      for (const [name, text] of texts({ role, runner, directory })) expect(lintWorkflow(text), name).toEqual([]);
});

test("what nothing is published to has no release, and what has no environments no promotion", () => {
  expect(texts({ targets: [], environments: [] }).map(([name]) => name)).toEqual(["bootwright-build.yml"]);
});

test("only what is published says what a release may do", () => {
  const permissions = (...targets: string[]) =>
    githubWorkflows({ ...FACTS, targets })["bootwright-release.yml"]!.jobs.publish!.permissions;
  expect(permissions("s3://a")).toEqual({ contents: "read" });
  expect(permissions("oci://ghcr.io/a/b")).toEqual({ contents: "read", packages: "write" });
  expect(permissions("github:a/b")).toEqual({ contents: "write" });
});

test("own runners are neither changed nor given a cache", () => {
  const text = texts({ runner: "self-hosted,kvm" })
    .map(([, one]) => one)
    .join("\n");
  expect(text).not.toMatch(/sudo|actions\/cache/);
  expect(text).toMatch(/runs-on:\n +- self-hosted\n +- kvm/);
});

test("each action is the commit of a release", () => {
  for (const { uses, version } of Object.values(ACTIONS)) {
    expect(uses).toMatch(/^actions\/[a-z-]+@[0-9a-f]{40}$/);
    expect(version).toMatch(/^v\d+\.\d+\.\d+$/);
  }
});
