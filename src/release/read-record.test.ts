/** Whatever is done to a record's files is found, and told apart. */
import fs from "node:fs";
import { expect, test } from "vitest";
import { examineRecord, readRecord } from "./read-record.ts";
import { type RecordDirectory, threeEntries } from "./record.fake.ts";

const findings = async (record: RecordDirectory, target = record.target) =>
  (await examineRecord(target, 0)).findings.map(({ kind, serial, message }) => `${kind} ${serial}: ${message}`);

const change = (file: string, from: string, to: string): void =>
  fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(from, to));

test("an untouched record is read by whoever comes", async () => {
  const record = await threeEntries();
  expect(await findings(record)).toEqual([]);
  const { state, chain } = await readRecord(record.stranger());
  expect(state.environments.get("test")).toMatchObject([{ release: "v0.1.0", by: "somebody" }]);
  expect(state.approvals).toMatchObject([{ who: "one", environment: "prod" }]);
  expect(chain.entries.map(({ serial }) => serial)).toEqual([1, 2, 3]);
});

test("a gap", async () => {
  const record = await threeEntries();
  fs.rmSync(record.file("record/2"));
  expect(await findings(record)).toEqual([
    expect.stringMatching(/^gap 2: .*entry 2 is missing, and entry 3 is there$/),
  ]);
});

test("an edit, by its signature", async () => {
  const record = await threeEntries();
  change(record.file("record/2"), '"environment":"test"', '"environment":"prod"');
  expect((await findings(record))[0]).toMatch(/^edited 2: .*entry 2 was changed: .*is not of these bytes$/);
});

test("an edit of what is not signed, by the entry behind it", async () => {
  const record = await threeEntries({ signed: false });
  change(record.file("record/2"), '"environment":"test"', '"environment":"prod"');
  expect((await findings(record))[0]).toMatch(/^edited 2: .*entry 2 was changed after entry 3 had been made$/);
});

test("an entry with a key that was replaced before", async () => {
  const record = await threeEntries();
  const { target } = record;
  const until = (entry: number) => ({
    ...target,
    keys: { ...target.keys, record: target.keys.record.map(({ key }) => ({ key, until: entry })) },
  });
  expect(await findings(record, until(2))).toEqual([]);
  expect(await findings(record, until(1))).toEqual([
    expect.stringMatching(/^edited 2: .*signed with key .*; trusted: none$/),
  ]);
});

test("an approval with the key of somebody else", async () => {
  const record = await threeEntries();
  const text = fs.readFileSync(record.file("record/2"), "utf8");
  fs.writeFileSync(record.file("record/2"), text.replace('"promote"', '"approve"').replace('"somebody"', '"one"'));
  expect((await findings(record))[0]).toMatch(/^edited 2: .*signed with key/);
});

test("an approval by who is no approver any more stays, and counts for nothing", async () => {
  const record = await threeEntries();
  const target = record.stranger();
  const { state, findings } = await examineRecord({ ...target, keys: { ...target.keys, approvers: {} } }, 0);
  expect([findings, state.approvals, state.serial]).toEqual([[], [], 3]);
});

test("an entry without its signature", async () => {
  const record = await threeEntries();
  const text = fs.readFileSync(record.file("record/2"), "utf8");
  fs.writeFileSync(record.file("record/2"), text.slice(text.indexOf("{")));
  expect((await findings(record))[0]).toMatch(/^edited 2: .*not signed, and the config names the key/);
});

test("an entry in the place of another", async () => {
  const record = await threeEntries();
  fs.copyFileSync(record.file("record/1"), record.file("record/2"));
  expect((await findings(record))[0]).toMatch(/^edited 2: .*entry 2 says that it is entry 1/);
});

test("an end that was cut off: by the pointer, and by whoever has seen it", async () => {
  const record = await threeEntries();
  fs.rmSync(record.file("record/3"));
  expect(await findings(record, record.stranger())).toEqual([
    expect.stringMatching(/^truncated 3: .*ends with entry 2, and its own pointer names entry 3$/),
  ]);
  fs.writeFileSync(record.file("record/current"), "2\n");
  expect(await findings(record)).toEqual([
    expect.stringMatching(/^truncated 3: .*ends with entry 2, and this user has seen entry 3$/),
  ]);
  await expect(readRecord(record.target)).rejects.toMatchObject({ code: "RECORD_BROKEN" });
});

test("another history that is whole in itself, by whoever has seen the first", async () => {
  const record = await threeEntries({ signed: false });
  for (const file of ["record/1", "record/2", "record/3", "record/current"]) fs.rmSync(record.file(file));
  const forger = { ...record.stranger() };
  const { changeRecord } = await import("./change-record.ts");
  for (const who of ["a", "b", "c"])
    await changeRecord(forger, {
      decide: ({ serial }) => ({
        ...{ action: serial === 0 ? "release" : "promote", environment: serial === 0 ? "" : "test" },
        ...{ release: "v0.1.0", releaseDigest: "e".repeat(64), who },
      }),
      ...{ now: () => "2026-01-02T03:04:06Z", dryRun: false },
    });
  expect(await findings(record)).toEqual([expect.stringMatching(/^fork 3: .*another history was put in its place/)]);
});

test("what is no entry at all", async () => {
  for (const bytes of ["", "{}", "untrusted comment: x\n", "\0".repeat(100), "[1]"]) {
    const record = await threeEntries();
    fs.writeFileSync(record.file("record/2"), bytes);
    expect((await findings(record))[0], JSON.stringify(bytes)).toMatch(/^edited 2: /);
  }
});
