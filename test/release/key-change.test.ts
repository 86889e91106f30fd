/** The record's key is replaced: the old one counts for what it signed, and for nothing after. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";
import { platformProject } from "./platform-project.ts";

test("a record goes on under another key", async () => {
  const { dir, json, cli } = await platformProject();
  await json("release", "new", "v0.1.0");
  await json("promote", "test", "v0.1.0");
  expect((await cli("history")).stdout).toMatch(/^#?\s*2\b/m);

  const configure = (change: (text: string) => string): void => {
    const file = path.join(dir, "bootwright.yaml");
    fs.writeFileSync(file, change(fs.readFileSync(file, "utf8")));
  };
  configure((text) =>
    text
      .replace("  approver: {", "  next: { file: ./keys/next, type: ed25519 }\n  approver: {")
      .replace("  key: release\n", "  key: next\n  formerKeys: [{ key: ./keys/release.pub, until: 2 }]\n"),
  );
  expect((await cli("keys", "init")).exit).toBe(0);
  await json("promote", "staging", "v0.1.0");
  expect((await cli("release", "verify")).exit).toBe(0);

  const status = async (keys: string) => {
    const files = Object.fromEntries(
      ["release", "next"].map((name) => [`${name}.pub`, fs.readFileSync(path.join(dir, `keys/${name}.pub`), "utf8")]),
    );
    const sources = `sources: { releases: { vendor: { record: ${path.join(dir, "record")}, keys: [${keys}] } } }`;
    const consumer = writeProject(`name: consumer\n${sources}\n`, files);
    return runCli(["pull", "--env", "staging"], { cwd: consumer, env: { BOOTWRIGHT_DATA: temporaryDir() } });
  };
  expect((await status("./next.pub, { key: ./release.pub, until: 2 }")).exit).toBe(0);
  for (const [keys, entry] of [
    ["./release.pub", 3],
    ["./next.pub", 1],
    ["./next.pub, { key: ./release.pub, until: 1 }", 2],
  ] as const) {
    const { exit, stderr } = await status(keys);
    expect([exit, stderr]).toEqual([
      7,
      expect.stringMatching(new RegExp(`entry ${entry} was changed.*signed with key`)),
    ]);
  }

  // Whoever has the old key cannot go on with it.
  configure((text) => text.replace("  key: next\n", "  key: release\n").replace(/ {2}formerKeys.*\n/, ""));
  expect((await cli("promote", "test", "v0.1.0")).stderr).toContain("entry 3 was changed");
});
