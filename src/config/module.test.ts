/** Node's own loader is under test, so each case runs in a plain Node process rather than in the test runner's. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "vitest";
import { projectDir } from "./project.fake.ts";

function run(files: Readonly<Record<string, string>>, script: string): unknown {
  const cwd = projectDir(files);
  const code = `const { loadModule } = await import(${JSON.stringify(path.join(import.meta.dirname, "module.ts"))});
const fs = await import("node:fs");
const load = () => loadModule(${JSON.stringify(path.join(cwd, "bootwright.config.ts"))});
${script}`;
  const result = spawnSync(process.execPath, ["--input-type=module", "-e", code], { cwd, encoding: "utf8" });
  expect(result.stderr).toBe("");
  return JSON.parse(result.stdout);
}

const CONFIG = `import { defineProject } from "bootwright";
import { n } from "./lib/n.ts";
export default defineProject({ name: n });
`;

test("loading again sees changes, also in imported files, and names all files", () => {
  const result = run(
    {
      "bootwright.config.ts": CONFIG,
      "lib/n.ts": 'import { m } from "./m.ts";\nexport const n = m;\n',
      "lib/m.ts": 'export const m = "one";\n',
    },
    `const a = await load();
fs.writeFileSync("lib/m.ts", 'export const m = "two";');
const b = await load();
console.log(JSON.stringify([a.value.name, b.value.name, b.files.map((f) => f.split("/").at(-1)), b.selfContained]));`,
  );
  expect(result).toEqual(["one", "two", ["bootwright.config.ts", "n.ts", "m.ts"], true]);
});

test("it is an ES module whatever package.json says", () => {
  const files = {
    "bootwright.config.ts": CONFIG,
    "lib/n.ts": 'export const n: string = "x";\n',
    "package.json": '{"type":"commonjs"}',
  };
  expect(run(files, "console.log(JSON.stringify((await load()).value.name));")).toBe("x");
});

test("types are taken out where there are some, in the config and in what it imports", () => {
  const files = {
    "bootwright.config.ts": CONFIG,
    "lib/n.ts": "const same = (name) => name;\ntype A = string;\nexport const n = same<A>('x');\n",
  };
  expect(run(files, "console.log(JSON.stringify((await load()).value.name));")).toBe("x");
});

test("a config that is JavaScript as it stands does not need Node's compiler", () => {
  const formats = (text: string) =>
    run(
      { "bootwright.config.ts": text },
      `const formats = [];
(await import("node:module")).registerHooks({
  load(url, context, next) {
    if (url.includes("bootwright.config.ts")) formats.push(context.format);
    return next(url, context);
  },
});
await load();
console.log(JSON.stringify(formats));`,
    );
  expect(formats("export default { name: 'x' };\n")).toEqual(["module"]);
  expect(formats("export default { name: 'x' as string };\n")).toEqual(["module-typescript"]);
});

test("imports from elsewhere are noticed", () => {
  const files = { "bootwright.config.ts": 'import os from "node:os";\nexport default { name: typeof os };\n' };
  expect(run(files, "console.log(JSON.stringify((await load()).selfContained));")).toBe(false);
});

test("a failed load does not poison the next", () => {
  const result = run(
    { "bootwright.config.ts": "export default {{" },
    `const first = await load().then(() => "loaded", () => "failed");
fs.writeFileSync("bootwright.config.ts", "export default { name: 'x' };");
console.log(JSON.stringify([first, (await load()).value.name]));`,
  );
  expect(result).toEqual(["failed", "x"]);
});
