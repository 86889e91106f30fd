/**
 * The record's other copy: refs/bootwright/record of a git repository, one commit an entry. Commits are made of nothing but the
 * entries, so whoever makes them gets the same names: two who bring git up to date do the same, and one comparison of names tells
 * whether both copies are one history.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { type Chain, checkChain, type Finding, findFork } from "./chain.ts";
import { describeAction, entryPath, type RecordKeys } from "./entry.ts";
import type { GitWorkspace } from "./git-workspace.ts";
import { recordBroken } from "./read-record.ts";
import type { SeenRecord } from "./seen-record.ts";

export interface GitCopy {
  /** What git is asked for. */
  readonly address: string;
  /** As the config has it. */
  readonly shown: string;
  readonly keys: RecordKeys;
  readonly seen: SeenRecord;
}

export interface ExaminedCopy {
  readonly chain: Chain;
  readonly findings: readonly Finding[];
  /** The ref's commit; "" when there is none. */
  readonly head: string;
  /** The commits that git ought to have, the first entry's first. */
  readonly commits: readonly string[];
}

const RECORD_REF = "refs/bootwright/record";
const ATTEMPTS = 10;

/**
 * Brings git up to the chain. What is ahead of it is left: another command was faster. Throws RECORD_BROKEN when git has
 * another history, or less of it than was seen.
 */
export async function mirrorRecord(workspace: GitWorkspace, chain: Chain, copy: GitCopy): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const { head, commits, findings, chain: there } = await examineCopy(workspace, chain, copy);
    if (findings.length > 0) throw recordBroken(findings);
    const enough = there.files.length >= commits.length;
    const to = commits.at(-1);
    if (enough || to === undefined || (await workspace.pushRef(copy.address, { ref: RECORD_REF, from: head, to }))) {
      copy.seen.rememberGit(chain.entries.length);
      return Math.max(there.files.length, commits.length);
    }
    if (attempt >= ATTEMPTS)
      throw new BootwrightError("STORE_LOCKED", `${copy.shown}: others push the record all the time`, {
        hint: "try again: the record itself is written, and the next command brings git up to it",
      });
  }
}

/** What git has, beside what the place has. */
export async function examineCopy(workspace: GitWorkspace, chain: Chain, copy: GitCopy): Promise<ExaminedCopy> {
  const { address, shown, keys, seen } = copy;
  const where = `${shown} (${RECORD_REF})`;
  // Noted before git is asked: what another command of this user sees meanwhile says nothing about this answer.
  const least = seen.newest()?.git ?? 0;
  const head = (await workspace.remoteRef(address, RECORD_REF)) ?? "";
  const commits = await expectedCommits(workspace, chain);
  const at = commits.indexOf(head);
  // The usual case needs no look at the files: the same name is the same history.
  const files = at !== -1 ? chain.files.slice(0, at + 1) : head === "" ? [] : await fetchFiles(workspace, copy);
  const there = checkChain(files, { where, keys });
  const findings = [...there.findings];
  const fork = findFork(chain, there);
  if (fork !== undefined) findings.push(fork);
  if (files.length < least || (files.length > 0 && files.length < commits.length - 1))
    findings.push({
      ...{ kind: "truncated", where, serial: files.length + 1 },
      message: `${where}: the record was cut off: it ends with entry ${files.length}, and ${files.length < least ? `this user has seen entry ${least} there` : `entry ${commits.length} was written, which waits for all before it`}`,
    });
  if (findings.length === 0 && at === -1 && head !== "" && !(await leadsOn(workspace, { commits, head, files })))
    findings.push({
      ...{ kind: "edited", where, serial: files.length },
      message: `${where}: the entries are the same, but their commits were made anew: ${head.slice(0, 12)} is in place of ${(commits[files.length - 1] ?? "").slice(0, 12)}`,
    });
  return { chain: there, findings, head, commits };
}

/** Git may be ahead of us, never beside us. */
async function leadsOn(
  workspace: GitWorkspace,
  { commits, head, files }: { commits: readonly string[]; head: string; files: readonly unknown[] },
): Promise<boolean> {
  if (files.length <= commits.length) return false;
  const last = commits.at(-1);
  if (last === undefined) return true;
  return (await workspace.git(["merge-base", "--is-ancestor", last, head], { accept: [0, 1] })).exit === 0;
}

async function expectedCommits(workspace: GitWorkspace, chain: Chain): Promise<readonly string[]> {
  if (chain.entries.length === 0) return [];
  const marks = path.join(workspace.dir, "record-marks");
  const parts: (string | Buffer)[] = [];
  for (const [i, entry] of chain.entries.entries()) {
    const message = `${describeAction(entry)}\n`;
    const author = `${entry.who} <> ${Date.parse(entry.time) / 1000} +0000`;
    const file = chain.files[i]!;
    parts.push(`commit refs/expected/record\nmark :${i + 1}\nauthor ${author}\ncommitter ${author}\n`);
    parts.push(`data ${Buffer.byteLength(message)}\n${message}`, i === 0 ? "" : `from :${i}\n`);
    parts.push(`M 100644 inline ${entryPath(entry.serial)}\ndata ${file.length}\n`, file, "\n");
  }
  const stdin = Buffer.concat(parts.map((part) => Buffer.from(part)));
  await workspace.git(["fast-import", "--quiet", "--force", `--export-marks=${marks}`], { stdin });
  const names: string[] = [];
  for (const line of fs.readFileSync(marks, "utf8").trimEnd().split("\n")) {
    const [mark, name] = line.split(" ");
    names[Number(mark!.slice(1)) - 1] = name!;
  }
  return names;
}

/** The entries as the ref's last commit has them. */
async function fetchFiles(workspace: GitWorkspace, { address }: GitCopy): Promise<readonly (Buffer | undefined)[]> {
  await workspace.git(["fetch", "--quiet", "--no-tags", address, `+${RECORD_REF}:refs/found/record`]);
  const listed = await workspace.text(["ls-tree", "-r", "refs/found/record", "--", "record/"]);
  const files: (Buffer | undefined)[] = [];
  for (const line of listed.split("\n")) {
    const match = /^\d+ blob ([0-9a-f]+)\trecord\/([1-9]\d{0,8})$/.exec(line);
    if (match !== null) files[Number(match[2]) - 1] = (await workspace.git(["cat-file", "blob", match[1]!])).stdout;
  }
  return Array.from(files); // Holes become undefined.
}
