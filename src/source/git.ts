/** The stage that fetches a pinned git commit as a tree. The commit's own digest pins the content, so it need not be pinned again. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { ensureDir } from "../base/fs.ts";
import { defaultEnvironment, run } from "../base/process.ts";
import { defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import type { FetchContext } from "./fetch.ts";

/** Output: `git archive` of the commit. Throws OFFLINE, HOST_TOOL_MISSING, PROGRAM_FAILED. */
export function fetchCommit(
  { url, commit }: { url: string; commit: string },
  context: Pick<FetchContext, "offline">,
): Stage<Record<never, never>, { archive: BlobArtifact }> {
  return defineStage({
    name: `git:${url.slice(url.lastIndexOf("/") + 1)}-${commit.slice(0, 8)}`,
    kind: "git",
    version: 1,
    inputs: {},
    params: { commit },
    outputs: ["archive"],
    weight: { cpu: 0, network: 1 },
    run: async ({ store, scratch, signal, emit }) => {
      if (context.offline)
        throw new BootwrightError("OFFLINE", `${url} at ${commit} is not in the store`, {
          hint: "run once without --offline",
        });
      refuseOptions(url);
      const dir = scratch();
      const repository = path.join(dir, "repository");
      ensureDir(repository);
      // No configuration of the user or host decides what comes: attributes and line endings are the repository's own.
      const env = {
        ...defaultEnvironment(),
        GIT_TERMINAL_PROMPT: "0",
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_PROTOCOL_FROM_USER: "0",
      };
      const git = (...args: string[]) =>
        run(["git", "-C", repository, ...SETTINGS, ...args], {
          env,
          signal,
          emit,
          timeout: 3_600_000,
        });
      await git("init", "--quiet", "--bare");
      // By digest where the server allows it, with one commit's objects only; else everything, and look for it there.
      await git("fetch", "--quiet", "--depth=1", url, commit).catch(() =>
        git("fetch", "--quiet", "--tags", url, "+refs/*:refs/remotes/origin/*"),
      );
      const archive = path.join(dir, "archive.tar");
      await git("archive", "--format=tar", `--output=${archive}`, commit);
      return { archive: blobArtifact(store.blobs.adopt(archive)) };
    },
  });
}

/** What git is asked for a repository that the config names: a path counts from the project's directory, an address stays. */
export function repositoryAddress(url: string, projectDir: string): string {
  const file = path.resolve(projectDir, url);
  if (/^\.\.?(\/|$)/.test(url)) return file;
  return !/^[a-z][a-z0-9+.-]*:/i.test(url) && fs.existsSync(file) ? file : url;
}

/** A repository on this host is a source like any other; git allows it only where nobody but the user can have named it. */
const SETTINGS = ["core.autocrlf=false", "tar.umask=0022", "protocol.file.allow=always"].flatMap((it) => ["-c", it]);

/** Throws USAGE for what git would take as an option: some of its options run programs. */
export function refuseOptions(...words: readonly string[]): void {
  const bad = words.find((word) => word.startsWith("-"));
  if (bad !== undefined) throw new BootwrightError("USAGE", `git ${bad}: an address or ref cannot start with "-"`);
}
