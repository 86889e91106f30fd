/**
 * The shape of the code (design §3), so that it stays: what may import what, who may touch the outside, how large a file
 * is. A rule that must be broken gets its exception here, with the reason.
 */
import fs from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";
import { type AnyNode, parse } from "acorn";
import { describe, expect, test } from "vitest";

const ROOT = path.join(import.meta.dirname, "..");
const DOMAINS = [
  "boottest",
  "catalog",
  "ci",
  "image",
  "initramfs",
  "kernel",
  "oci",
  "provenance",
  "publish",
  "release",
  "s3",
  "sign",
  "source",
  "tree",
  "uki",
  "update",
  "verify",
  "vm",
];
const STORAGE = ["stage", "store", "formats", "base"];

/** What a folder of src/ may import beside itself. A name with a slash is one file: another folder's door. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  formats: ["base"],
  store: ["formats", "base"],
  stage: ["store", "formats", "base"],
  ...Object.fromEntries(DOMAINS.map((domain) => [domain, STORAGE])),
  // A boot test's `machine` is vm's Machine: docs/decisions/0010-boottest-imports-vm.md.
  boottest: [...STORAGE, "vm/index.ts"],
  config: ["base", ...DOMAINS.map((domain) => `${domain}/schema.ts`)],
  plan: ["config", ...DOMAINS.filter((domain) => domain !== "vm"), ...STORAGE],
  api: ["plan", "config", ...DOMAINS.filter((domain) => domain !== "vm"), "vm/index.ts", ...STORAGE],
  reporters: ["base"],
  cli: ["api", "config", "reporters", "base"],
};

interface Rule {
  /** Of `process.NAME`, a global, or a module. */
  readonly uses: readonly string[];
  readonly allowed: Readonly<Record<string, string>>;
}

/** Doors to the outside, and who may open them: path or folder → why. */
const DOORS: Readonly<Record<string, Rule>> = {
  "starts processes": {
    uses: ["node:child_process", "node:cluster", "node:worker_threads"],
    allowed: { "src/base/process.ts": "the one place" },
  },
  "opens sockets": {
    uses: ["undici", "node:net", "node:http", "node:https", "node:http2", "node:tls", "node:dgram", "fetch"],
    allowed: {
      "src/base/http.ts": "the one place for the network",
      "src/vm/channels.ts": "unix sockets of a virtual machine",
      "src/vm/console-pipes.ts": "a named pipe as a stream, opened without blocking",
    },
  },
  "reads the clock": {
    uses: ["Date.now", "new Date", "performance.now", "process.hrtime", "process.uptime", "node:perf_hooks"],
    allowed: { "src/base/clock.ts": "the one place" },
  },
  "reads the environment": {
    uses: ["process.env"],
    allowed: {
      "src/cli/": "turns it into a session",
      "src/base/process.ts": "PATH and HOME of what it starts",
      "src/stage/sandbox.ts": "BOOTWRIGHT_SANDBOX chooses how, never what: no byte of an output depends on it",
    },
  },
  "touches the terminal, the arguments or the exit code": {
    uses: ["argv", "stdin", "stdout", "stderr", "exit", "exitCode", "abort", "chdir"].map((name) => `process.${name}`),
    allowed: { "src/cli/": "its task" },
  },
  "depends on where it is started": { uses: ["process.cwd"], allowed: { "src/cli/": "turns it into a session" } },
  "is different each time": { uses: ["Math.random"], allowed: {} },
};

const files = listFiles("src");
const code = files.filter((file) => !file.endsWith(".test.ts"));
const product = code.filter((file) => !file.endsWith(".fake.ts") && !file.includes("/gen/"));

describe("imports", () => {
  test("every folder of src/ has its rule", () => {
    const folders = fs.readdirSync(path.join(ROOT, "src"), { withFileTypes: true }).filter((one) => one.isDirectory());
    expect(folders.map(({ name }) => name).filter((name) => MAY_IMPORT[name] === undefined)).toEqual([]);
  });

  test("point down only, and through doors", () => {
    expect(code.flatMap(wrongImports)).toEqual([]);
  });

  test("the rules themselves have no cycle", () => {
    const below = (folder: string, above: readonly string[]): void => {
      expect(above, `${[...above, folder].join(" → ")}`).not.toContain(folder);
      for (const next of MAY_IMPORT[folder]!) if (!next.includes("/")) below(next, [...above, folder]);
    };
    below("cli", []);
  });

  test("src/index.ts is names only", () => {
    const text = fs.readFileSync(path.join(ROOT, "src/index.ts"), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
    expect(text.split(";").filter((statement) => !/^\s*(export .* from "[^"]+")?\s*$/s.test(statement))).toEqual([]);
  });

  test("each domain's part of the config is composed into the one schema", () => {
    const schemas = files.filter(
      (file) => /^src\/[a-z0-9]+\/schema\.ts$/.test(file) && !/src\/(base|config)/.test(file),
    );
    expect(schemas.length).toBeGreaterThan(0);
    const imported = new Set(
      code.filter((file) => file.startsWith("src/config/")).flatMap((file) => importsOf(file).map(({ to }) => to)),
    );
    expect(schemas.filter((file) => !imported.has(file))).toEqual([]);
  });
});

describe("only its place", () => {
  const uses = product.flatMap(outsideUses);
  for (const [what, { uses: names, allowed }] of Object.entries(DOORS)) {
    test(what, () => {
      const wrong = uses.filter(
        (use) => names.includes(use.name) && !Object.keys(allowed).some((place) => use.file.startsWith(place)),
      );
      expect(wrong.map(({ file, line, name }) => `${file}:${line}: ${name}`)).toEqual([]);
    });

    test(`${what}: every exception is needed`, () => {
      const unneeded = Object.keys(allowed).filter(
        (place) => !uses.some((use) => use.file.startsWith(place) && names.includes(use.name)),
      );
      expect(unneeded).toEqual([]);
    });
  }
});

describe("files", () => {
  const all = [...files, ...["test", "scripts", "bench", "examples"].flatMap(listFiles)].filter(
    (file) => !file.includes("/gen/"),
  );
  const lines = (file: string) => read(file).split("\n").length - 1;

  test("have at most 500 lines", () => {
    expect(all.filter((file) => lines(file) > 500).map((file) => `${file}: ${lines(file)}`)).toEqual([]);
  });

  test("are mostly small", () => {
    const sizes = product.map(lines).sort((a, b) => a - b);
    expect(sizes[Math.floor(sizes.length / 2)]).toBeLessThanOrEqual(100);
    expect(sizes[Math.floor(sizes.length * 0.95)]).toBeLessThanOrEqual(350);
  });

  test("are named after their subject", () => {
    expect(all.filter((file) => /(^|\/)(utils?|helpers?|common|misc|shared|stuff)([./]|$)/.test(file))).toEqual([]);
  });

  test("leave nothing for later", () => {
    const mark = new RegExp(["TO" + "DO", "FIX" + "ME", "X" + "XX"].map((word) => `\\b${word}\\b`).join("|"));
    expect(all.filter((file) => mark.test(read(file)))).toEqual([]);
  });
});

function listFiles(dir: string): string[] {
  return fs
    .readdirSync(path.join(ROOT, dir), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/(^|\/)(out|node_modules)\//.test(file))
    .map((file) => `${dir}/${file}`)
    .sort();
}

function read(file: string): string {
  return fs.readFileSync(path.join(ROOT, file), "utf8");
}

interface Import {
  readonly line: number;
  /** Path in the repository, or a package's name. */
  readonly to: string;
}

/** Type imports count: what a part knows of is what it depends on. */
function importsOf(file: string): Import[] {
  const text = read(file);
  const pattern = /^(?:import|export)\b[^"';]*?from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return [...text.matchAll(pattern)].map((match) => {
    const to = (match[1] ?? match[2] ?? match[3])!;
    const line = text.slice(0, match.index).split("\n").length;
    return { line, to: to.startsWith(".") ? path.join(path.dirname(file), to) : to };
  });
}

function wrongImports(file: string): string[] {
  const folder = file.split("/")[1]!;
  const allowed = file === "src/index.ts" ? ["config", "api"] : (MAY_IMPORT[folder] ?? []);
  return importsOf(file)
    .filter(({ to }) => to.includes("/") && !to.startsWith("node:"))
    .filter(({ to }) => /^(src|test|scripts|bench|examples)\//.test(to))
    .filter(({ to }) => {
      if (!to.startsWith("src/")) return true;
      const target = to.slice("src/".length);
      const [targetFolder] = target.split("/");
      return targetFolder !== folder && !allowed.includes(targetFolder!) && !allowed.includes(target);
    })
    .map(({ line, to }) => `${file}:${line} → ${to}`);
}

interface Use {
  readonly file: string;
  readonly line: number;
  readonly name: string;
}

/** Modules with side effects on the world, and the globals that reach it. Type imports do not count here. */
function outsideUses(file: string): Use[] {
  const javascript = stripTypeScriptTypes(read(file));
  const found: Use[] = [];
  const note = (node: AnyNode, name: string) =>
    found.push({ file, line: javascript.slice(0, node.start).split("\n").length, name });
  walk(parse(javascript, { ecmaVersion: "latest", sourceType: "module" }), (node) => {
    switch (node.type) {
      case "ImportDeclaration":
        if (node.specifiers.length > 0) note(node, String(node.source.value));
        break;
      case "ImportExpression":
        if (node.source.type === "Literal") note(node, String(node.source.value));
        break;
      case "MemberExpression":
        if (node.object.type === "Identifier" && node.property.type === "Identifier" && !node.computed)
          note(node, `${node.object.name}.${node.property.name}`);
        break;
      case "NewExpression":
        if (node.callee.type === "Identifier" && node.arguments.length === 0) note(node, `new ${node.callee.name}`);
        break;
      case "CallExpression":
        if (node.callee.type === "Identifier" && node.callee.name === "fetch") note(node, "fetch");
        break;
    }
  });
  return found;
}

function walk(node: AnyNode, visit: (node: AnyNode) => void): void {
  visit(node);
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value])
      if (typeof child === "object" && child !== null && typeof child.type === "string") walk(child as AnyNode, visit);
}
