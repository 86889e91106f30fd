/** A project publishes into a directory, as a user does it. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { documentOf, runCli } from "../support/cli.ts";
import { serveDirectory } from "../support/served-directory.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const config = (version: string, more = ""): string => `
name: tiny
version: "${version}"
trees: { root: { from: [{ dir: ./root }] } }
images: { root: { kind: tar, tree: root, compress: none } }
keys: { catalog: { file: ./keys/catalog } }
publish: { root: { image: root, to: ./published, sign: catalog${more} } }
`;

test("publish, publish again, a next version, a version that is taken", async () => {
  const dir = writeProject(config("0.1.0"), { "root/hello": "hello\n" });
  const store = temporaryDir();
  const cli = (...args: string[]) => runCli(args, { cwd: dir, store });
  const set = (version: string, hello: string, more?: string) =>
    writeProject(config(version, more), { "root/hello": hello }, dir);
  expect((await cli("keys", "init")).exit).toBe(0);

  const planned = await cli("publish", "--dry-run");
  expect(planned.exit, planned.stderr).toBe(10);
  expect(planned.stdout).toMatch(/^would publish tiny-root-0\.1\.0-x86_64\.tar .* to .*published\n$/);
  expect(fs.existsSync(path.join(dir, "published"))).toBe(false);

  const first = documentOf(await cli("publish", "--json"));
  expect(first).toMatchObject({ ok: true, published: [{ name: "tiny-root-0.1.0-x86_64.tar", known: false }] });
  expect(fs.readdirSync(path.join(dir, "published")).sort()).toEqual([
    ...["SHA256SUMS", "SHA256SUMS.minisig", "files", "index.html", "published", "root-latest.tar"],
    "tiny-root-0.1.0-x86_64.tar",
  ]);
  expect(documentOf(await cli("publish", "root", "--json"))).toMatchObject({ published: [{ known: true }] });
  expect((await cli("publish", "--dry-run")).exit).toBe(0);

  expect((await cli("publish", "--quiet")).stdout).toBe(`sha256:${first.published[0].sha256}\n`);

  set("0.2.0", "good morning\n");
  expect((await cli("publish")).stdout).toMatch(/^published tiny-root-0\.2\.0/);
  const page = fs.readFileSync(path.join(dir, "published/index.html"), "utf8");
  const readable = page.replaceAll(/<script>[\s\S]*?<\/script>/g, "");
  for (const name of ["tiny-root-0.1.0-x86_64.tar", "tiny-root-0.2.0-x86_64.tar", "root-latest.tar"])
    expect(readable).toContain(`>${name}</a>`);
  expect(page).not.toMatch(/https?:/);

  expect((await cli("published")).stdout).toMatch(
    /published\nname .*\ntiny-root-0\.2\.0-x86_64\.tar +0\.2\.0 .* root-latest\.tar +-\ntiny-root-0\.1\.0-x86_64\.tar .* - +-\n$/,
  );
  await using served = await serveDirectory(dir);
  const listed = documentOf(await cli("published", "root", served.url("published"), "--json")).places;
  expect(listed).toMatchObject(
    Array.from({ length: 2 }, () => ({
      serial: 2,
      settled: true,
      files: [{ moving: ["root-latest.tar"] }, { moving: [] }],
    })),
  );
  expect(listed[1].files[0].address).toMatch(/^http:.*\/published\/files\/sha256-[0-9a-f]{64}\.tiny-root-0\.2\.0/);
  expect((await cli("published", "rot")).stderr).toMatch(/NAME_UNKNOWN.*did you mean "root"/);
  expect((await cli("published", "github:a/b", "--offline")).stderr).toContain("OFFLINE");
  expect((await cli("published", "catalog:a")).stderr).toContain("UNSUPPORTED");

  // What a dead publisher has left: young, it may be a live one's; old, it is put aside, and goes a day later.
  const left = path.join(dir, "published/files", `sha256-${"0".repeat(64)}.left.tar`);
  fs.writeFileSync(left, "left over");
  expect((await cli("publish", "--sweep", "--dry-run")).exit).toBe(0);
  fs.utimesSync(left, 1, 1);
  const found = await cli("publish", "--sweep", "root", "--dry-run");
  expect([found.exit, found.stdout]).toEqual([
    10,
    expect.stringMatching(/^would set aside files\/sha256-0+\.left\.tar \(9 B\) at /),
  ]);
  expect(fs.existsSync(left)).toBe(true);
  expect(documentOf(await cli("publish", "--sweep", "--json"))).toMatchObject({
    ...{ ok: true, published: [], dryRun: false },
    swept: [{ action: "set aside", size: 9, to: "./published" }],
  });
  const [name] = fs.readdirSync(path.join(dir, "published/.swept"));
  expect(name).toMatch(/^[0-9a-f]{16}\.sha256-0+\.left\.tar$/);
  const aside = path.join(dir, "published/.swept", name!);
  expect([fs.existsSync(left), fs.readFileSync(aside, "utf8")]).toEqual([false, "left over"]);
  fs.utimesSync(aside, 1, 1);
  expect((await cli("publish", "--sweep")).stdout).toMatch(/^removed \.swept\/[0-9a-f]{16}\.sha256-/);
  expect((await cli("publish", "--sweep")).stderr).toContain("nothing is left over");

  set("0.1.0", "another\n");
  const refused = await cli("publish");
  expect(refused.exit).toBe(2);
  expect(refused.stderr).toMatch(/EXISTS.*tiny-root-0\.1\.0-x86_64\.tar.*next free version is 0\.1\.1/s);

  set("0.1.0", "another\n", ', name: "root-{versoin}.tar"');
  expect((await cli("publish")).stderr).toMatch(/bootwright\.yaml:7.*did you mean "version"\?/s);
});
