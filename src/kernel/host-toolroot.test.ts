import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { silent } from "../base/events.ts";
import { runStages } from "../stage/scheduler.ts";
import { treeOf } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import { describeTools, findHostTools, hostToolroot } from "./host-toolroot.ts";
import { toolchain } from "./toolchain.ts";

const chain = toolchain({ arch: "aarch64", host: "x86_64", compiler: "gcc", rust: false });
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

it("names all that is missing at once, with the packages that bring it", () => {
  const lacks = new Set(["aarch64-linux-gnu-gcc", "as", "bison", "ld"]);
  const find = (name: string) => (lacks.has(name) ? undefined : "/bin/sh");
  expect(() => findHostTools(chain, { ccache: false, find })).toThrow(
    expect.objectContaining({
      code: "HOST_TOOL_MISSING",
      message: "this host lacks aarch64-linux-gnu-gcc, as, bison, ld, to build a kernel by its own tools",
      hint: expect.stringContaining(" binutils bison gcc-aarch64-linux-gnu, or "),
    }),
  );
});

it("ccache is only asked for when it is used", () => {
  const find = (name: string) => (name === "ccache" ? undefined : "/bin/sh");
  expect(() => findHostTools(chain, { ccache: true, find })).toThrow("ccache");
  expect(findHostTools(chain, { ccache: false, find }).map(({ name }) => name)).toContain("gcc");
});

it("the tree says who the programs are, and holds none of them", async () => {
  const dir = tempDir();
  const find = (name: string): string => {
    const file = path.join(dir, name);
    fs.writeFileSync(file, `program ${name}`);
    return file;
  };
  const tools = findHostTools(chain, { ccache: false, find });
  expect(tools).toContainEqual({ name: "make", sha256: sha256("program make") });
  const store = tempStore();
  const stage = hostToolroot("host-tools:k", tools);
  const report = await runStages([stage], { store, emit: silent, signal: new AbortController().signal, project: "p" });
  const { output } = treeOf(stage, "tree");
  const tree = store.getTree(report.output(stage, output) as TreeArtifact);
  const entry = tree.find(({ path: at }) => at === "etc/bootwright-host-tools");
  expect(entry?.type === "file" && Buffer.concat([...store.read(entry.content)]).toString()).toBe(describeTools(tools));
  expect(tree.map(({ path: at }) => at)).toEqual(expect.arrayContaining(["build", "dev", "proc", "tmp", "usr"]));
  expect(tree.filter(({ path: at }) => at.startsWith("usr/"))).toEqual([]);
});

it("other programs are another stage", () => {
  const [one, other] = ["a", "b"].map((sum) => hostToolroot("host-tools:k", [{ name: "gcc", sha256: sum }]));
  expect(one!.params).not.toEqual(other!.params);
});
