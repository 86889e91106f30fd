import fs from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { busyboxRoot } from "../../test/support/busybox-root.ts";
import { needProgram } from "../../test/support/need-program.ts";
import { listing, tempDir, tempStore } from "../../test/support/temp-store.ts";
import type { BuildEvent } from "../base/events.ts";
import { blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { commandStage } from "./command.ts";
import { runStages } from "./scheduler.ts";

const never = new AbortController().signal;

function shellStage(store: Store, script: string, outputs: readonly string[] = ["result"]) {
  return commandStage({
    name: "command",
    toolroot: busyboxRoot(store),
    argv: ["sh", "-c", script],
    inputs: { text: blobArtifact(store.blobs.put("input\n")) },
    outputs,
  });
}

async function runScript(store: Store, script: string, emit: (event: BuildEvent) => void = () => {}) {
  const stage = shellStage(store, script);
  const report = await runStages([stage], { store, emit, signal: never, project: "test" });
  const result = report.output(stage, "result");
  return { key: report.stages[0]!.key, ran: report.ran, text: store.blobs.readAll(result).toString() };
}

afterEach(() => vi.unstubAllEnvs());

describe("commandStage", () => {
  it("gives the program its inputs and keeps what it leaves", async () => {
    const store = tempStore();
    const script = "cat inputs/text >outputs/result; echo more >>outputs/result";
    expect(await runScript(store, script)).toMatchObject({ text: "input\nmore\n", ran: 1 });
    expect(await runScript(store, script)).toMatchObject({ text: "input\nmore\n", ran: 0 });
  });

  it("has the same key and the same result in either sandbox", async () => {
    const results = [];
    for (const kind of ["bwrap", "unshare"]) {
      needProgram(kind, kind === "bwrap" ? "bubblewrap" : "util-linux");
      vi.stubEnv("BOOTWRIGHT_SANDBOX", kind);
      // All that a program could tell its surroundings by, but for times.
      const script = "{ cat /proc/self/environ; hostname; id; pwd; ls -a . / /build; ls -ln /bin; } >outputs/result";
      results.push(await runScript(tempStore(), script.replaceAll("ls -ln", "ls")));
    }
    expect(results[1]).toEqual(results[0]);
  });

  it("passes the program's lines on while it runs", async () => {
    const lines: string[] = [];
    await runScript(tempStore(), "echo working >&2; echo >outputs/result", (event) => {
      if (event.type === "stage.output") lines.push(event.line);
    });
    expect(lines).toEqual(["working"]);
  });

  it("cannot change the store through its inputs", async () => {
    const store = tempStore();
    await runScript(store, "rm inputs/text; echo >inputs/text; echo >outputs/result").catch(() => {});
    expect(store.blobs.readAll(store.blobs.put("input\n")).toString()).toBe("input\n");
  });

  it.each([
    ["leaves nothing", "true"],
    ["leaves a directory", "mkdir outputs/result"],
    ["leaves a link into the host", 'ln -s "$HOST_FILE" outputs/result'],
    ["replaces its outputs by a link into the host", 'rmdir outputs; ln -s "$HOST_DIR" outputs'],
  ])("is refused when it %s", async (_, script) => {
    const store = tempStore();
    const host = path.join(tempDir(), "result");
    fs.writeFileSync(host, "the host's", { mode: 0o600 });
    await expect(
      runScript(store, `HOST_FILE='${host}' HOST_DIR='${path.dirname(host)}'; ${script}`),
    ).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
      message: expect.stringContaining("outputs/result"),
    });
    expect(fs.statSync(host).mode & 0o777).toBe(0o600);
    expect(fs.readFileSync(host, "utf8")).toBe("the host's");
  });

  it("leaves no scratch directory, whether it succeeds or fails", async () => {
    const store = tempStore();
    await runScript(store, "mkdir -p a/b; echo >outputs/result");
    await runScript(store, "mkdir -p a/b; exit 1").catch(() => {});
    expect(listing(path.join(store.dir, "tmp"))).toEqual([]);
  });

  it("unpacks a toolroot once for many runs", async () => {
    const store = tempStore();
    await runScript(store, "echo 1 >outputs/result");
    const [root] = fs.readdirSync(path.join(store.dir, "roots"));
    const before = fs.statSync(path.join(store.dir, "roots", root!)).ino;
    await runScript(store, "echo 2 >outputs/result");
    expect(fs.readdirSync(path.join(store.dir, "roots"))).toEqual([root]);
    expect(fs.statSync(path.join(store.dir, "roots", root!)).ino).toBe(before);
  });
});
