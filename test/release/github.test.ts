/** Repositories on GitHub: its checks say what is green, its API makes the tags. The API is a fake; the repositories are not. */
import { expect, test } from "vitest";
import { githubFake } from "./github.fake.ts";
import { bareRemotes, git, platformProject, REPOSITORIES } from "./platform-project.ts";

const TOKEN = "token-of-a-test";

test("checks, tags, a connection that breaks between two repositories, and a wrong token", async () => {
  const remotes = bareRemotes();
  const github = await githubFake((name) => `${remotes}/${name}.git`, TOKEN);
  const env = {
    ...{ GITHUB_API_URL: github.url, GITHUB_TOKEN: TOKEN, GIT_CONFIG_COUNT: "1" },
    ...{ GIT_CONFIG_KEY_0: `url.${remotes}/.insteadOf`, GIT_CONFIG_VALUE_0: "https://github.com/truthdb/" },
  };
  const address = (name: string) => `https://github.com/truthdb/${name}.git`;
  const { json, refused, cli, remote } = await platformProject({ remotes, address, check: "github", env });
  const { release, digest } = await json("release", "new", "v0.1.0");
  const commits = REPOSITORIES.map((name) => release.repositories[name].commit as string);
  expect((await refused("release", "tag", "v0.1.0")).message).toMatch(
    /builder: .* is not green: GitHub has no check runs/,
  );
  for (const commit of commits) github.conclusions.set(commit, "success");
  github.conclusions.set(commits[2]!, "failure");
  expect((await refused("release", "tag", "v0.1.0")).message).toMatch(
    /iso: .* is not green: the check "build" is failure/,
  );
  github.conclusions.set(commits[2]!, "neutral");
  expect(github.calls.filter((call) => call.startsWith("POST"))).toEqual([]);

  github.dieAfter = "POST kernel git/refs";
  expect((await cli("release", "tag", "v0.1.0")).exit).not.toBe(0);
  expect(REPOSITORIES.map((name) => git(remote(name), "tag"))).toEqual(["v0.1.0", "v0.1.0", ""]);
  github.dieAfter = undefined;
  expect((await json("release", "tag", "v0.1.0")).repositories).toMatchObject([
    ...[{ known: true }, { known: true }, { known: false }],
  ]);
  for (const [i, name] of REPOSITORIES.entries()) {
    expect(git(remote(name), "rev-parse", "v0.1.0^{commit}")).toBe(commits[i]);
    expect(git(remote(name), "tag", "-l", "--format=%(contents)", "v0.1.0")).toContain(digest);
  }
  for (const name of REPOSITORIES) git(remote(name), "tag", "-d", "v0.1.0");
  const denied = await cli("release", "tag", "v0.1.0", "--debug");
  expect(denied.exit).toBe(0);
  expect(`${denied.stdout}${denied.stderr}`).not.toContain(TOKEN);
}, 120_000);
