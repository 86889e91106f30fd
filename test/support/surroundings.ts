/** What a build may not notice: another place, time, user and environment. */
import fs from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { type CliOptions, documentOf, runCli } from "./cli.ts";
import { needProgram } from "./need-program.ts";
import { sharedStore, temporaryDir } from "./test-session.ts";

export const SURROUNDINGS: Readonly<
  Record<string, (home: string) => Pick<CliOptions, "env" | "wrapper"> & { args?: string[] }>
> = {
  "one job, another locale and time zone": (home) => ({
    args: ["--jobs", "1"],
    env: { LANG: "tr_TR.UTF-8", LC_ALL: "de_DE.ISO-8859-1", TZ: "Pacific/Kiritimati", HOME: home, XDG_CACHE_HOME: "" },
  }),
  "a strict umask, many jobs": () => ({
    args: ["--jobs", "16"],
    wrapper: ["sh", "-c", 'umask 077; exec "$@"', "sh"],
  }),
  "another user": (home) => ({
    // In a user namespace: a checkout that only we can read stays readable.
    wrapper: [needProgram("unshare", "util-linux"), "--user", "--map-user=4711", "--map-group=4712", "--"],
    env: { HOME: home, XDG_CACHE_HOME: "" },
  }),
};

/** Digests of all images of a project, built where it lies, by image. */
export async function digests(
  dir: string,
  { args = [], ...options }: Omit<CliOptions, "cwd"> & { args?: readonly string[] },
) {
  const result = await runCli(["build", "--json", ...args], { ...options, cwd: dir });
  expect(result.exit, result.stderr).toBe(0);
  const { images } = documentOf(result) as { images: { name: string; digest: string }[] };
  return Object.fromEntries(images.map(({ name, digest }) => [name, digest]));
}

/** The same, from a copy of the project in other surroundings. Its store is new, with nothing in it but the packages. */
export async function digestsIn(name: string, from: string): Promise<Record<string, string>> {
  // What other programs hold against a path: a blank, a quote, letters outside ASCII.
  const base = temporaryDir("bw it's ä 日本 ");
  const store = path.join(base, "store");
  const { args = [], ...surroundings } = SURROUNDINGS[name]!(fs.mkdtempSync(path.join(base, "home-")));
  const dir = path.join(base, "project");
  copyProject(from, dir);
  givePackages(path.join(dir, "bootwright.lock"), store);
  return digests(dir, { store, args: [...args, "--frozen", "--offline"], ...surroundings });
}

/** In another order, with other times and modes; of a mode, only whether a file can be run counts. */
function copyProject(from: string, to: string): void {
  fs.cpSync(from, to, { recursive: true, filter: (file) => path.relative(from, file) !== "out" });
  for (const name of fs.readdirSync(to, { recursive: true, encoding: "utf8" }).reverse()) {
    const file = path.join(to, name);
    if (fs.statSync(file).isFile()) fs.chmodSync(file, fs.statSync(file).mode & 0o100 ? 0o700 : 0o600);
    fs.utimesSync(file, 978_307_200, 978_307_200 + name.length);
  }
}

/** The archives that the lock pins, as if they had just been downloaded. */
function givePackages(lockFile: string, store: string): void {
  for (const [hash] of fs.readFileSync(lockFile, "utf8").matchAll(/\b[0-9a-f]{64}\b/g)) {
    const at = path.join("blobs", hash.slice(0, 2), hash);
    const [from, to] = [path.join(sharedStore(), at), path.join(store, at)];
    fs.mkdirSync(path.dirname(to), { recursive: true });
    if (fs.existsSync(from) && !fs.existsSync(to)) fs.copyFileSync(from, to);
  }
}
