import { expect, test } from "vitest";
import { slsaPredicate } from "../provenance/slsa.ts";
import { fetchFile, fetchPackage } from "../source/fetch.ts";
import { fetchCommit } from "../source/git.ts";
import type { Lock } from "../source/lock.ts";
import { commandStage } from "../stage/command.ts";
import { blobOf, defineStage, treeOf } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import { imageMaterials, stageRoles } from "./materials.ts";

const context = { offline: true, aptSources: () => [] };
const url = "https://release:hunter2@example.org/a.tar?X-Amz-Signature=hunter2";
const repository = "https://token:hunter2@example.org/team/kernel.git";
const file = { sha256: "a".repeat(64), size: 1 };
const commit = "b".repeat(40);
const pkg = (name: string, digit: string) => ({
  ...{ name, version: "1:1.0+b1", arch: "amd64", path: `pool/${name}.deb`, size: 1, sha256: digit.repeat(64) },
});
const [busybox, xz, unused] = [pkg("busybox", "1"), pkg("xz-utils", "2"), pkg("unused", "3")];

const lock: Lock = {
  [`file ${url}`]: { type: "file", ...file },
  [`git ${repository} main`]: { type: "git", commit },
  "debian amd64 packages busybox": { type: "debian", packages: [busybox] },
  "debian amd64 closure xz-utils": { type: "debian", packages: [xz, busybox, unused] },
};

function planned() {
  const tools = defineStage<{ packages: readonly ReturnType<typeof fetched>[] }, { tree: TreeArtifact }>({
    ...{ name: "toolroot:x", kind: "toolroot", version: 1, params: {}, outputs: ["tree"] },
    inputs: { packages: [fetched(xz), fetched(busybox)] },
    run: async () => {
      throw new Error("nothing runs here");
    },
  });
  return commandStage({
    ...{ name: "image", argv: ["xz"], outputs: ["image"], toolroot: treeOf(tools, "tree") },
    inputs: {
      archive: blobOf(fetchFile({ url, ...file }, context), "file"),
      source: blobOf(fetchCommit({ url: repository, commit }, context), "archive"),
      package: fetched(busybox),
    },
  });
}

const fetched = (one: typeof busybox) => blobOf(fetchPackage(one, context), "file");

const materials = () => imageMaterials(stageRoles(planned() as never), lock);

test("each source that the graph reaches is named once, by what it is for", () => {
  expect(materials().map(({ uri, role }) => [uri, role])).toEqual([
    ["git+https://example.org/team/kernel.git", "content"],
    ["https://example.org/a.tar", "content"],
    ["pkg:deb/debian/busybox@1:1.0%2Bb1?arch=amd64", "content"],
    ["pkg:deb/debian/xz-utils@1:1.0%2Bb1?arch=amd64", "tool"],
  ]);
});

test("no account, password or signed query gets into a statement", () => {
  const request = {
    project: "p",
    projectVersion: undefined,
    image: "i",
    kind: "tar",
    architecture: "x86_64",
    epoch: 0,
  };
  const facts = { builder: "urn:x", version: "1", profiles: [], configFiles: [] };
  const text = JSON.stringify(slsaPredicate(request, { facts, materials: materials() }));
  for (const word of ["hunter2", "release:", "token", "Signature"]) expect(text).not.toContain(word);
  expect(text).toContain(commit);
});
