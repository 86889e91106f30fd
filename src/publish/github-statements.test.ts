import { afterEach, beforeEach, expect, test } from "vitest";
import { type Clock, systemClock } from "../base/clock.ts";
import { type GithubFake, startGithubFake } from "./github.fake.ts";
import { Github } from "./github-api.ts";
import { addStatement, furtherName, furtherStatements } from "./github-statements.ts";

const TOKEN = "token-that-nobody-may-see";
const NO_WAITING: Clock = { ...systemClock, sleep: async () => {} };
const NAMES = ["one.efi", "one.efi.intoto.jsonl", "published.json"];

let fake: GithubFake;
beforeEach(async () => {
  fake = await startGithubFake({ token: TOKEN });
  begin();
});
afterEach(() => fake.stop());

/** A release as it was published. */
function begin(): void {
  fake.requests.splice(0);
  fake.releases.splice(0);
  const assets = NAMES.map((name, i) => ({ id: 900 + i, name, bytes: Buffer.from(name), state: "uploaded" as const }));
  const about = { draft: false, latest: true, body: "", created: "", published: "2026-01-02T03:04:05Z" };
  fake.releases.push({ ...about, id: 99, tag: "v1.0.0", assets });
}

let signatures = 0;

/** The statement about a commit: each time that it is signed, it has other bytes. */
function add(commit: string, { signal = new AbortController().signal, stallMs = 30_000 } = {}) {
  const github = new Github({ api: fake.api, token: TOKEN, signal, backoffMs: 1, clock: NO_WAITING, stallMs });
  const name = furtherName("one.efi", commit);
  const make = async () => Buffer.from(`${commit} ${signatures++}\n`);
  const isSaidBy = (bytes: Buffer) => bytes.toString().startsWith(`${commit} `);
  return addStatement(github, {
    ...{ repository: "o/r", tag: "v1.0.0", file: "one.efi", statement: { name, make }, isSaidBy, signal },
  });
}

const [A, B] = ["a".repeat(40), "b".repeat(40)];
const texts = (): readonly string[] =>
  furtherStatements(
    { assets: fake.releases[0]!.assets.map((one) => ({ ...one, size: 0, sha256: undefined, created: "" })) },
    "one.efi",
  )
    .map(({ name }) => fake.releases[0]!.assets.find((one) => one.name === name)!.bytes.toString())
    .map((text) => text.split(" ")[0]!);

/** What was published is as it was. */
function checkKept(): void {
  for (const name of NAMES)
    expect(fake.releases[0]!.assets.find((one) => one.name === name)?.bytes.toString()).toBe(name);
}

test("each statement is an asset of its own, once; what is there stays", async () => {
  expect(await add(A)).toBe("added");
  expect(await add(A)).toBe("there");
  expect(await add(B)).toBe("added");
  expect(texts()).toEqual([A, B]);
  checkKept();
  fake.releases[0]!.assets.find(({ name }) => name === "one.efi.intoto.jsonl")!.bytes = Buffer.from(
    `${"c".repeat(40)} 0`,
  );
  expect(await add("c".repeat(40))).toBe("there");
  expect(fake.requests.filter((line) => line.startsWith("DELETE"))).toEqual([]);
});

test("what is no further statement of this file is none, nor is half of one", () => {
  const names = ["one.efi.intoto.jsonl", "one.efi.0123456789ab.intoto.jsonl", "one.efi.x.0123456789ab.intoto.jsonl"];
  const asset = { id: 1, size: 1, sha256: undefined, created: "", state: "uploaded" };
  const assets = [
    ...names.map((name) => ({ ...asset, name })),
    { ...asset, name: furtherName("one.efi", A), state: "starter" },
  ];
  expect(furtherStatements({ assets }, "one.efi").map(({ name }) => name)).toEqual([names[1]]);
});

test("a release takes as many as other places keep, and one that GitHub calls immutable none", async () => {
  const { assets } = fake.releases[0]!;
  for (let i = 0; i < 62; i++)
    assets.push({
      id: 1000 + i,
      name: furtherName("one.efi", String(i).padStart(12, "0")),
      bytes: Buffer.of(1),
      state: "uploaded",
    });
  expect([await add(A), await add(B), await add(A)]).toEqual(["added", "full", "there"]);
  begin();
  fake.isImmutable = true;
  expect(await add(A)).toBe("immutable");
  expect(fake.requests.filter((line) => !line.startsWith("GET"))).toEqual([]);
  fake.releases.splice(0);
  await expect(add(A)).rejects.toMatchObject({ code: "NAME_UNKNOWN" });
});

test("every fault at every request: the statement is there, or the next publisher adds it", async () => {
  const slower = [429, 403].map((status) => ({ status, retryAfter: 1 }));
  const faults = [
    "drop",
    "truncate",
    "page",
    "cut",
    "stall",
    "damage",
    { status: 401 },
    { status: 502 },
    ...slower,
  ] as const;
  for (const fault of faults)
    for (let at = 1; ; at++) {
      begin();
      fake.fault = (count) => (count === at ? fault : undefined);
      const result = await add(A, fault === "stall" ? { stallMs: 200 } : {}).catch((error) => error.code);
      fake.fault = () => undefined;
      checkKept();
      const count = fake.requests.length;
      if (result === "added" || result === "there") expect(texts()).toEqual([A]);
      else expect(result).toMatch(/^(NETWORK|HTTP_STATUS|LOGIN_NEEDED|FORMAT_INVALID|DIGEST_MISMATCH)$/);
      expect(await add(A)).toMatch(/^(added|there)$/);
      expect(texts()).toEqual([A]);
      expect(fake.releases[0]!.assets).toHaveLength(NAMES.length + 1);
      checkKept();
      if (at > count) break;
    }
});

test("killed at any request, half a statement at most is left, and the next publisher adds it", async () => {
  for (let [at, result] = [1, ""]; result !== "added"; at++) {
    begin();
    const stop = new AbortController();
    fake.fault = (count, line) => {
      if (count < at) return undefined;
      stop.abort(new Error("killed"));
      return line.includes("/uploads/") ? "cut" : undefined;
    };
    result = await add(A, { signal: stop.signal }).catch((error) => error.message);
    fake.fault = () => undefined;
    checkKept();
    await add(A);
    expect(texts()).toEqual([A]);
  }
});

test("two at once, of one commit and of two", async () => {
  for (let round = 0; round < 20; round++) {
    begin();
    await Promise.all([add(A), add(A)]);
    expect(texts()).toEqual([A]);
    await Promise.all([add(B), add(A)]);
    expect(texts()).toEqual([A, B]);
    checkKept();
  }
});
