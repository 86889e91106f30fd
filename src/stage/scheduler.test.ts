import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, vi } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { systemClock } from "../base/clock.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { BuildEvent } from "../base/events.ts";
import { blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { loadDecisions } from "./decision.ts";
import { slowStages } from "./run-stages.fake.ts";
import { type RunStagesOptions, runStages } from "./scheduler.ts";
import { type AnyStage, blobOf, treeOf } from "./stage.ts";
import { dataStage, type FakeStage, type Log, textStage, treeStage } from "./stages.fake.ts";

const never = new AbortController().signal;
const run = (store: Store, targets: readonly AnyStage[], more: Partial<RunStagesOptions> = {}) =>
  runStages(targets, { store, emit: () => {}, signal: never, project: "test", ...more });
const made = (stage: FakeStage) => blobOf(stage, "file");
const scratch = (store: Store) => fs.readdirSync(path.join(store.dir, "tmp"));

/** source → left, right → image. */
function diamond(log: Log, change: { text?: string; gives?: (joined: string) => string } = {}): FakeStage {
  const source = textStage("source", { text: "s", log, ...change });
  const left = textStage("left", { text: "l", parts: [made(source)], log });
  const right = textStage("right", { text: "r", parts: [made(source)], log });
  return textStage("image", { text: "!", parts: [made(left), made(right)], log });
}

describe("runStages", () => {
  it("runs what is needed, each stage once, inputs first", async () => {
    const store = tempStore();
    const log: Log = [];
    const image = diamond(log);
    const report = await run(store, [image]);
    expect(store.blobs.readAll(report.output(image, "file") as never).toString()).toBe("slsr!");
    expect(log).toEqual(["source", "left", "right", "image"]);
    expect(report).toMatchObject({ ran: 4, cached: 0 });
  });

  it("a second run runs nothing", async () => {
    const store = tempStore();
    await run(store, [diamond([])]);
    const log: Log = [];
    expect(await run(store, [diamond(log)])).toMatchObject({ ran: 0, cached: 4 });
    expect(log).toEqual([]);
  });

  it("what is there is claimed at once", async () => {
    const store = tempStore();
    await run(store, [diamond([])]);
    const claim = vi.spyOn(store, "claim");
    await run(store, [diamond([], { text: "changed", gives: () => "s" })]);
    await run(store, [diamond([])]);
    expect(claim.mock.calls.map(([keys]) => keys.length)).toEqual([1, 1, 1, 4]);
  });

  it("what a collection takes while it is asked for is made again", async () => {
    const store = tempStore();
    await run(store, [diamond([])]);
    vi.spyOn(store, "claim").mockImplementationOnce((keys) => {
      store.forget(keys.slice(1, 2));
      return false;
    });
    const log: Log = [];
    expect(await run(store, [diamond(log)])).toMatchObject({ ran: 1, cached: 3 });
    expect(log).toEqual(["left"]);
  });

  it("a change runs what it reaches, and nothing beside", async () => {
    const store = tempStore();
    const image = (text: string, log: Log) => {
      const [a, b] = [textStage("a", { text, log }), textStage("b", { text: "same", log })];
      return textStage("image", { parts: [made(a), made(b)], log });
    };
    await run(store, [image("1", [])]);
    const log: Log = [];
    await run(store, [image("2", log)]);
    expect(log).toEqual(["a", "image"]);
  });

  it("stops early where a stage gives the same bytes as before", async () => {
    const store = tempStore();
    await run(store, [diamond([])]);
    const log: Log = [];
    const report = await run(store, [diamond(log, { text: "comment changed", gives: () => "s" })]);
    expect(log).toEqual(["source"]);
    expect(report).toMatchObject({ ran: 1, cached: 3 });
  });

  it("runs what does not depend on each other side by side", async () => {
    const store = tempStore();
    let both = () => {};
    const met = new Promise<void>((resolve) => {
      let there = 0;
      both = () => {
        if (++there === 2) resolve();
      };
    });
    const meet = () => {
      both();
      return met;
    };
    const stages = ["a", "b"].map((name) => textStage(name, { text: name, during: meet }));
    expect(await run(store, stages, { jobs: 2 })).toMatchObject({ ran: 2 });
  });

  it("runs no more at once than there are jobs", async () => {
    const store = tempStore();
    let now = 0;
    let most = 0;
    const during = async () => {
      most = Math.max(most, ++now);
      await systemClock.sleep(2);
      now--;
    };
    await run(
      store,
      ["a", "b", "c", "d", "e"].map((name) => textStage(name, { text: name, during })),
      { jobs: 2 },
    );
    expect(most).toBe(2);
  });

  it("two stages of one key do the work once", async () => {
    const store = tempStore();
    const log: Log = [];
    const twins = ["a", "b"].map((name) => textStage(name, { text: "same", log, during: () => systemClock.sleep(20) }));
    const events: BuildEvent[] = [];
    const report = await run(store, twins, { jobs: 2, emit: (event) => events.push(event) });
    expect(log).toEqual(["a"]);
    expect(report.output(twins[0]!, "file")).toEqual(report.output(twins[1]!, "file"));
    expect(events.filter((event) => event.type === "stage.waiting")).toEqual([]);
  });

  it("writes down why each stage ran", async () => {
    const store = tempStore();
    await run(store, [textStage("a", { text: "1" })]);
    await run(store, [textStage("a", { text: "2" })]);
    await run(store, [textStage("a", { text: "2" })]);
    expect(loadDecisions(store, "test").get("a")).toMatchObject({
      last: { outcome: "cached", reasons: [] },
      lastRun: { outcome: "ran", reasons: [{ type: "param", path: "text", before: "1", after: "2" }] },
    });
  });

  it("tells what happens in typed events", async () => {
    const store = tempStore();
    const events: BuildEvent[] = [];
    const a = textStage("a", { text: "abc", during: ({ progress }) => progress(1, { total: 3, what: "counting" }) });
    await run(store, [a], { emit: (event) => events.push(event) });
    await run(store, [a], { emit: (event) => events.push(event) });
    expect(events.map((event) => event.type)).toEqual([
      ...["build.start", "stage.start", "stage.progress", "stage.done", "build.done"],
      ...["build.start", "stage.cached", "build.done"],
    ]);
    expect(events[1]).toMatchObject({ stage: "a", reason: "first build" });
    expect(events[3]).toMatchObject({ stage: "a", bytes: 3, digest: digestOf("abc").hash });
  });
});

describe("a stage that fails", () => {
  it("stops the others; what was finished stays", async () => {
    const store = tempStore();
    const log: Log = [];
    const good = textStage("good", { text: "good", log });
    const broken = textStage("broken", {
      parts: [made(good)],
      log,
      during: () => {
        throw new BootwrightError("PROGRAM_FAILED", "cc ended with exit code 1");
      },
    });
    const after = textStage("after", { parts: [made(broken)], log });
    const waits = textStage("waits", { text: "w", log, during: ({ signal }) => systemClock.sleep(20_000, signal) });
    await expect(run(store, [after, waits], { jobs: 4 })).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
    expect(log.sort()).toEqual(["broken", "good", "waits"]);
    expect(scratch(store)).toEqual([]);
    const again: Log = [];
    const fixed = textStage("broken", { parts: [made(textStage("good", { text: "good", log: again }))], log: again });
    await run(store, [fixed]);
    expect(again).toEqual(["broken"]);
  });

  it("is told once, and the stages that it stopped are not told as failed", async () => {
    const failed: string[] = [];
    const broken = textStage("broken", {
      during: () => {
        throw new Error("bug");
      },
    });
    const waits = textStage("waits", { text: "w", during: ({ signal }) => systemClock.sleep(20_000, signal) });
    const emit = (event: BuildEvent) =>
      event.type === "stage.failed" && failed.push(`${event.stage}: ${event.message}`);
    await expect(run(tempStore(), [waits, broken], { emit, jobs: 2 })).rejects.toThrow("bug");
    expect(failed).toEqual(["broken: bug"]);
  });

  it("that forgets an output is our own mistake", async () => {
    const forgetful = { ...textStage("forgetful"), outputs: ["file", "log"] } as AnyStage;
    await expect(run(tempStore(), [forgetful])).rejects.toThrow("forgetful did not return log");
  });
});

it("an abort rejects with the signal's reason and leaves no scratch directory and no result", async () => {
  const store = tempStore();
  const stop = new AbortController();
  const stage = (log: Log) =>
    textStage("slow", {
      log,
      during: async ({ scratch: make, signal }) => {
        fs.writeFileSync(path.join(make(), "half"), "x");
        if (log.length === 0) return;
        setImmediate(() => stop.abort(new BootwrightError("INTERRUPTED", "interrupted")));
        await systemClock.sleep(20_000, signal);
      },
    });
  await expect(run(store, [stage([])], { signal: stop.signal })).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(scratch(store)).toEqual([]);
  expect(await run(store, [textStage("slow")])).toMatchObject({ ran: 1 });
});

describe("when bytes are gone from the store", () => {
  it("a missing output is made again", async () => {
    const store = tempStore();
    const a = textStage("a", { text: "abc" });
    const report = await run(store, [a]);
    store.blobs.remove(report.output(a, "file").hash);
    expect(await run(store, [a])).toMatchObject({ ran: 1 });
    expect(loadDecisions(store, "test").get("a")?.last.reasons).toEqual([{ type: "outputs-missing" }]);
  });

  it("a hole in a cached tree is found by who uses it, and filled", async () => {
    const store = tempStore();
    const log: Log = [];
    const plan = () => {
      const tree = treeStage("tree", "content", log);
      return dataStage("data", treeOf(tree, "tree"), log);
    };
    const first = await run(store, [treeStage("tree", "content", log)]);
    expect(first.ran).toBe(1);
    store.blobs.remove(digestOf("content").hash);
    const warnings: string[] = [];
    const emit = (event: BuildEvent) => event.type === "warning" && warnings.push(event.text);
    const data = plan();
    const report = await run(store, [data], { emit });
    expect(log).toEqual(["tree", "data", "tree", "data"]);
    expect(store.blobs.readAll(report.output(data, "file") as never).toString()).toBe("content");
    expect(warnings).toEqual([expect.stringContaining("making it again")]);
  });

  it("a stage that can never have its bytes fails, and does not run for ever", async () => {
    const store = tempStore();
    const gone = blobArtifact(digestOf("never stored"));
    await expect(run(store, [textStage("a", { parts: [gone] })])).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });
});

describe("a pinned stage", () => {
  const pinned = (log: Log) => {
    const stage = textStage("fetch", { text: "bytes", log });
    return { ...stage, pinned: { file: blobArtifact(digestOf("bytes")) } };
  };

  it("does not run when its bytes came by another way", async () => {
    const store = tempStore();
    store.blobs.put("bytes");
    const log: Log = [];
    expect(await run(store, [pinned(log)])).toMatchObject({ ran: 0, cached: 1 });
    expect(log).toEqual([]);
  });

  it("runs when they are not there", async () => {
    const log: Log = [];
    await run(tempStore(), [pinned(log)]);
    expect(log).toEqual(["fetch"]);
  });
});

describe("two builds on one store", () => {
  it("share work in one process", async () => {
    const dir = tempDir();
    const [one, two] = [tempStore(dir), tempStore(dir)];
    const log: Log = [];
    const reports = await Promise.all([
      run(one, slowStages(["a", "b"], log)),
      run(two, slowStages(["a", "b"], log), { project: "other" }),
    ]);
    expect(log.sort()).toEqual(["a", "b"]);
    expect(reports.map((report) => report.ran).reduce((sum, ran) => sum + ran)).toBe(2);
  });

  it("share work across processes, and say whom they wait for", async () => {
    const dir = tempDir();
    const names = ["a", "b", "c"];
    const store = tempStore(dir);
    const waits: string[] = [];
    const log: Log = [];
    const mine = run(store, slowStages(names, log), {
      jobs: 1,
      emit: (event) => event.type === "stage.waiting" && waits.push(...event.on),
    });
    const script = path.join(import.meta.dirname, "run-stages.fake.ts");
    const other = promisify(execFile)(process.execPath, [script, dir, ...names.toReversed()]);
    const [, { stdout }] = await Promise.all([mine, other]);
    expect([...log, ...stdout.split(" ").filter(Boolean)].sort()).toEqual(names);
  });

  it("a maker that died leaves its turn to the next", async () => {
    const store = tempStore();
    const a = textStage("a", { text: "x" });
    const { stages } = await run(store, [a]);
    store.forget([stages[0]!.key]);
    store.db.run("INSERT INTO turns (key, build, pid, boot) VALUES (?, 'dead', 1, 'another boot')", stages[0]!.key);
    expect(await run(store, [a])).toMatchObject({ ran: 1 });
    expect(store.db.all("SELECT * FROM turns")).toEqual([]);
  });
});
