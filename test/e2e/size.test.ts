/** `inspect --size`, and a budget that is exceeded. */
import { expect, test } from "vitest";
import { documentOf, runCli } from "../support/cli.ts";
import { writeProject } from "../support/test-session.ts";

const CONFIG = `
name: sizes
trees:
  root:
    from: [{ dir: ./root }]
    files:
      /var/lib/dpkg/info/tool:amd64.list: "/.\\n/usr\\n/bin/tool\\n/opt/data\\n"
      /lib/apk/db/installed: "P:big\\nV:1\\nF:srv/deep/er\\nR:large\\n"
images: { tar: { kind: tar, tree: root, compress: none } }
`;
const FILES = {
  "root/usr/bin/tool": "t".repeat(3000),
  "root/opt/data": "d".repeat(500),
  "root/srv/deep/er/large": "l".repeat(90_000),
  "root/own": "o".repeat(10),
};

test("inspect --size tells of files, directories and packages", async () => {
  const cwd = writeProject(CONFIG, FILES);
  expect((await runCli(["build"], { cwd })).exit).toBe(0);
  const json = documentOf(await runCli(["inspect", "tree:root", "--size", "--json"], { cwd }));
  const lists = 32 + 28;
  expect(json.total).toBe(3000 + 500 + 90_000 + 10 + lists);
  expect(json.largest.slice(0, 2)).toEqual([
    { name: "/srv/deep/er/large", size: 90_000 },
    { name: "/usr/bin/tool", size: 3000 },
  ]);
  expect(json.directories[0]).toEqual({ name: "/srv", size: 90_000 });
  expect(json.packages.slice(0, 2)).toEqual([
    { name: "big", size: 90_000 },
    { name: "tool", size: 3500 + 28 },
  ]);
  const text = (await runCli(["inspect", "tree:root", "--size"], { cwd })).stdout;
  expect(text).toMatch(/^91\.4 KiB in 6 files\nlargest files\n +87\.9 KiB +96% {2}\/srv\/deep\/er\/large\n/);
});

test("a tree over its budget fails the build and lists its largest files", async () => {
  const cwd = writeProject(CONFIG.replace("from: [{", 'budget: "50KiB"\n    from: [{'), FILES);
  const result = await runCli(["build"], { cwd });
  expect(result.exit).toBe(8);
  expect(result.stderr).toMatch(
    /BUDGET_EXCEEDED +tree:root holds 91\.4 KiB; its budget is 50\.0 KiB \(41\.4 KiB too much\)/,
  );
  expect(result.stderr).toMatch(/the 6 largest files:\n[ │]+87\.9 KiB {2}\/srv\/deep\/er\/large/);
});
