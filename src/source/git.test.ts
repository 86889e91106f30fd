import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { silent } from "../base/events.ts";
import { runStages } from "../stage/scheduler.ts";
import { blobOf } from "../stage/stage.ts";
import type { Store } from "../store/store.ts";
import { fetchCommit } from "./git.ts";
import { importArchive } from "./import-archive.ts";
import { Resolver } from "./resolver.ts";

const signal = new AbortController().signal;

function git(dir: string, ...args: string[]): string {
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@test.invalid", "-c", "init.defaultBranch=main"];
  return execFileSync(needProgram("git", "git"), ["-C", dir, ...identity, ...args], { encoding: "utf8" }).trim();
}

/** A repository with a commit a version, tagged v1, v2 …; the last one on branch main. */
function repository(...versions: string[]) {
  const dir = tempDir();
  git(dir, "init", "--quiet");
  const commits = versions.map((text, i) => {
    fs.writeFileSync(path.join(dir, "file"), text);
    fs.mkdirSync(path.join(dir, "sub"), { recursive: true });
    fs.writeFileSync(path.join(dir, "sub/run"), "#!/bin/sh\n", { mode: 0o755 });
    git(dir, "add", ".");
    git(dir, "commit", "--quiet", "--message", `version ${i + 1}`);
    git(dir, "tag", `v${i + 1}`);
    return git(dir, "rev-parse", "HEAD");
  });
  return { dir, commits };
}

const resolver = (store: Store = tempStore()) => new Resolver({ store, emit: silent, signal, aptSources: () => [] });
const pin = (url: string, ref: string) => resolver().resolve({ type: "git", url, ref });

describe("a ref is pinned to a commit", () => {
  it("branches, tags and commits", async () => {
    const { dir, commits } = repository("one", "two");
    const [first, second] = commits;
    expect(await pin(dir, "main")).toEqual({ type: "git", commit: second });
    expect(await pin(dir, "v1")).toEqual({ type: "git", commit: first });
    expect(await pin(dir, first!)).toEqual({ type: "git", commit: first });
  });

  it("an annotated tag to the commit, not to the tag", async () => {
    const { dir, commits } = repository("one");
    git(dir, "tag", "--annotate", "--message", "release", "r1");
    expect(await pin(dir, "r1")).toEqual({ type: "git", commit: commits[0] });
  });

  it("a tag before a branch of the same name", async () => {
    const { dir, commits } = repository("one", "two");
    git(dir, "branch", "v1");
    git(dir, "commit", "--quiet", "--allow-empty", "--message", "more");
    expect(await pin(dir, "v1")).toEqual({ type: "git", commit: commits[0] });
  });

  it("what is not there is said", async () => {
    const { dir } = repository("one");
    await expect(pin(dir, "v9")).rejects.toMatchObject({ code: "NAME_UNKNOWN", exit: 2 });
    await expect(pin(path.join(dir, "nowhere"), "v1")).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
  });

  it("nothing that looks like an option reaches git", async () => {
    const { dir, commits } = repository("one");
    const trap = path.join(dir, "trapped");
    await expect(pin(dir, "--upload-pack=false")).rejects.toMatchObject({ code: "USAGE" });
    await expect(pin(`--upload-pack=touch '${trap}'`, commits[0]!)).rejects.toMatchObject({ code: "USAGE" });
    expect(fs.existsSync(trap)).toBe(false);
  });
});

describe("fetchCommit", () => {
  async function fetchTree(url: string, commit: string, { store = tempStore(), offline = false } = {}) {
    const fetch = fetchCommit({ url, commit }, { offline });
    const unpack = importArchive({ name: "unpack", archive: blobOf(fetch, "archive"), what: url });
    const report = await runStages([unpack], { store, emit: silent, signal, project: "p" });
    const tree = store.getTree(report.output(unpack, "tree") as never);
    return {
      files: tree.map((entry) => [entry.path, entry.mode.toString(8)]),
      text: (name: string) => {
        const entry = tree.find((one) => one.path === name);
        return entry?.type === "file" ? store.readContent(entry.content).toString() : undefined;
      },
      digest: report.output(fetch, "archive").hash,
      ran: report.ran,
    };
  }

  it("gives a commit's files, an old one's, too", async () => {
    const { dir, commits } = repository("one", "two");
    const old = await fetchTree(dir, commits[0]!);
    expect(old.text("file")).toBe("one");
    expect((await fetchTree(dir, commits[1]!)).text("file")).toBe("two");
    expect(old.files).toEqual([
      ["file", "644"],
      ["sub", "755"],
      ["sub/run", "755"],
    ]);
  });

  it("gives the same bytes wherever the repository lies and whatever the user has configured", async () => {
    const { dir, commits } = repository("one\n");
    const here = await fetchTree(dir, commits[0]!);
    const clone = path.join(tempDir(), "clone");
    git(dir, "clone", "--quiet", dir, clone);
    const home = tempDir();
    fs.writeFileSync(path.join(home, ".gitconfig"), "[core]\n\tautocrlf = true\n[tar]\n\tumask = 0077\n");
    vi.stubEnv("HOME", home);
    const there = await fetchTree(clone, commits[0]!);
    vi.unstubAllEnvs();
    expect(there.digest).toBe(here.digest);
  });

  it("is not fetched again, not even when the repository is gone", async () => {
    const { dir, commits } = repository("one");
    const store = tempStore();
    await fetchTree(dir, commits[0]!, { store });
    fs.rmSync(dir, { recursive: true });
    expect(await fetchTree(dir, commits[0]!, { store, offline: true })).toMatchObject({ ran: 0 });
  });

  it("offline without its bytes is OFFLINE", async () => {
    const { dir, commits } = repository("one");
    await expect(fetchTree(dir, commits[0]!, { offline: true })).rejects.toMatchObject({ code: "OFFLINE" });
  });

  it("a commit that the repository lacks is an error, and leaves nothing", async () => {
    const { dir } = repository("one");
    const store = tempStore();
    await expect(fetchTree(dir, "1".repeat(40), { store })).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toEqual([]);
  });

  it("no address runs a program", async () => {
    const trap = path.join(tempDir(), "trapped");
    for (const url of [`ext::sh -c "touch '${trap}'"`, `--upload-pack=touch '${trap}'`])
      await expect(fetchTree(url, "1".repeat(40))).rejects.toMatchObject({ code: expect.any(String) });
    expect(fs.existsSync(trap)).toBe(false);
  });
});
