/** From test to prod: three repositories are released together, and a release goes through the environments. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { commit, platformProject } from "./platform-project.ts";

test("a release is promoted, changed, and rolled back", async () => {
  const { dir, json, refused, cli, remote } = await platformProject();
  expect((await cli("release", "new", "v0.1.0", "--dry-run")).exit).toBe(10);
  const first = await json("release", "new", "v0.1.0");
  expect(first.release.repositories.kernel.commit).toMatch(/^[0-9a-f]{40}$/);
  expect(first.release.notes.kernel).toMatchObject([{ type: "feat", subject: "the kernel" }]);
  expect(await json("release", "new", "v0.1.0")).toMatchObject({ known: true, digest: first.digest });

  expect(await refused("promote", "staging", "v0.1.0")).toMatchObject({
    code: "PROMOTION_REFUSED",
    message: "v0.1.0 has not run in test, which comes before staging",
  });
  expect((await cli("promote", "test", "v0.1.0", "--dry-run")).exit).toBe(10);
  await json("promote", "test", "v0.1.0");
  expect(await json("promote", "test", "v0.1.0")).toMatchObject({ change: null });
  await json("promote", "staging", "v0.1.0");
  expect((await refused("promote", "prod", "v0.1.0")).message).toBe("v0.1.0 needs 1 approval for prod and has 0");
  expect((await refused("approve", "prod", "v0.1.0", "--key", "keys/release")).code).toBe("SIGNATURE_INVALID");
  expect(await json("approve", "prod", "v0.1.0", "--key", "keys/approver")).toMatchObject({
    change: { who: "approver", digest: first.digest, action: "approve" },
  });
  expect(await json("approve", "prod", "v0.1.0", "--key", "keys/approver.key")).toMatchObject({ change: null });
  await json("promote", "prod", "v0.1.0");

  const fixed = commit(remote("kernel"), "fix(boot)!: the console");
  expect((await refused("release", "new", "v0.1.0")).message).toMatch(
    /^v0\.1\.0 is released already, with other contents: kernel is at \w{12} there, and at \w{12} now$/,
  );
  expect((await refused("release", "new", "v0.1.0")).hint).toContain("release new v0.1.1");
  const second = await json("release", "new", "v0.1.1");
  expect(second.release).toMatchObject({
    previous: "v0.1.0",
    notes: { kernel: [{ commit: fixed, type: "fix", scope: "boot", breaking: true }], builder: [], iso: [] },
  });
  await json("promote", "test", "v0.1.1");
  await json("promote", "staging", "v0.1.1");
  expect((await json("status")).environments).toMatchObject([
    { name: "test", release: "v0.1.1", next: null },
    { name: "staging", release: "v0.1.1", after: "test" },
    { name: "prod", release: "v0.1.0", next: { release: "v0.1.1", ready: false, approvals: [], needed: 1 } },
  ]);
  await json("approve", "prod", "v0.1.1", "--key", "keys/approver");
  await json("promote", "prod", "v0.1.1");
  expect((await refused("promote", "prod", "v0.1.0")).hint).toContain("rollback prod");
  expect((await cli("rollback", "prod", "--dry-run")).exit).toBe(10);
  expect(await json("rollback", "prod")).toMatchObject({ change: { release: "v0.1.0", digest: first.digest } });
  expect((await refused("rollback", "prod")).message).toBe("nothing ran in prod before");
  expect((await refused("promote", "prod", "v0.1.1")).code).toBe("PROMOTION_REFUSED");

  expect((await json("history", "prod")).entries.map((one: { action: string }) => one.action)).toEqual([
    ...["approve", "promote", "approve", "promote", "rollback"],
  ]);
  expect((await cli("release", "diff", "v0.1.0", "v0.1.1")).exit).toBe(10);
  expect((await json("release", "ls")).releases).toMatchObject([
    { version: "v0.1.1", environments: ["test", "staging"] },
    { version: "v0.1.0", environments: ["prod"] },
  ]);
  expect((await json("release", "show", "v0.1.0")).environments).toEqual(["prod"]);
  const view = JSON.parse(fs.readFileSync(path.join(dir, "record/environments.json"), "utf8"));
  expect(view).toMatchObject({ serial: 11, environments: { prod: { release: "v0.1.0", digest: first.digest } } });
}, 120_000);
