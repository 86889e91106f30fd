/** A Debian root is the same bytes for everyone, in either sandbox, and nothing in it tells of the day on which it was made. */
import fs from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { readTar } from "../../src/formats/tar-reader.ts";
import { digests, digestsIn, SURROUNDINGS } from "../support/surroundings.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

/** Services, accounts, triggers, byte code, host keys, catalogs: what makes an installation differ from the next. */
const CONFIG = `
name: root
trees: { root: { from: [{ debian: [systemd-sysv, openssh-server, python3-minimal, ca-certificates] }] } }
images: { root: { kind: tar, tree: root, compress: none } }
`;

let project = "";
let first: Record<string, string> = {};

beforeAll(async () => {
  project = writeProject(CONFIG);
  first = await digests(project, {});
}, 400_000);

/** Each installs everything once more. */
const CHOSEN = process.env.BOOTWRIGHT_TEST_FULL === undefined ? ["another user"] : Object.keys(SURROUNDINGS);

test.each(CHOSEN)("%s", { timeout: 400_000 }, async (name) => {
  expect(await digestsIn(name, project)).toEqual(first);
});

test("the sandbox without bubblewrap", { timeout: 400_000 }, async () => {
  const env = { BOOTWRIGHT_SANDBOX: "unshare" };
  expect(await digests(project, { store: temporaryDir(), env, args: ["--jobs", "1"] })).toEqual(first);
});

test("no file has this day's date in it, or a later time than the packages", { timeout: 120_000 }, async () => {
  const { root } = await buildProject(project);
  const now = new Date();
  const day = Math.floor(now.getTime() / 86_400_000);
  const [date, stamp] = [
    now.toISOString().slice(0, 10),
    `\\b${String(Math.floor(now.getTime() / 1000)).slice(0, 6)}\\d{4}\\b`,
  ];
  const today = new RegExp(`${date}|${date.replaceAll("-", "")}|:${day}:|${stamp}|${now.toUTCString().slice(0, 16)}`);
  const found: string[] = [];
  for await (const member of readTar(fs.createReadStream(root!))) {
    if (member.mtime > now.getTime() / 1000 - 86_400) found.push(`${member.path} is new`);
    if (member.type !== "file" || !/^(etc|var|usr\/share)\//.test(member.path) || member.size > 2 ** 20) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of member.content()) chunks.push(chunk);
    const match = today.exec(Buffer.concat(chunks).toString("latin1"));
    if (match !== null) found.push(`${member.path} has ${match[0]}`);
  }
  expect(found).toEqual([]);
});
