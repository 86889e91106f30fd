/**
 * `npm run bundle`, and after each `npm ci`: the package's code as few JavaScript files, in `dist/`. Loading some 200 modules
 * takes most of the time of a build that has nothing to do. What is loaded on demand in the source stays apart here.
 */
import fs from "node:fs";
import path from "node:path";
import { messageOf } from "../src/base/errors.ts";
import { ROOT, say } from "./terminal.ts";

const DIST = path.join(ROOT, "dist");
/** The program and the package's two doors, by their paths below `src` and `dist`. */
const ENTRIES = ["cli/entry", "index", "boottest/index"];
/** Packages that come along: loading the 94 modules of this one took a fifth of a build with a changed config. */
const WITHIN = new Set(["zod"]);
/** Chunks: these modules, and what they import and no chunk above holds. */
const CHUNKS: Readonly<Record<string, readonly string[]>> = {
  // Every command. Not the entry itself: it waits for the end of the command, and whoever imports it waits for it.
  start: ["cli/main", "cli/screen", "cli/session", "cli/interrupt", "reporters/create", "reporters/plain"],
  // Every command that opens a project.
  project: ["cli/commands/build", "api/build"],
};

const startedAt = new Date();
let rolldown: typeof import("rolldown") | undefined;
try {
  rolldown = await import("rolldown");
} catch (error) {
  // Without the packages for development (`npm ci --omit=dev`) a checkout runs from its source, only slower.
  say(`no bundle: ${messageOf(error)}`);
}
if (rolldown !== undefined) {
  const bundle = await rolldown.rolldown({
    input: Object.fromEntries(ENTRIES.map((name) => [name, sourceFile(name)])),
    platform: "node",
    external: (id) => /^(node:|[^./])/.test(id) && !WITHIN.has(id),
    // A module may be needed at once here, and on demand there.
    checks: { ineffectiveDynamicImport: false },
    plugins: [{ name: "builtins", renderChunk: (code) => withBuiltins(code) }],
  });
  // Names of chunks change with what is in them. The rest is written over; declarations, which tsc made, stay.
  fs.rmSync(path.join(DIST, "chunks"), { recursive: true, force: true });
  await bundle.write({
    dir: DIST,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
    codeSplitting: { groups: chunkGroups() },
  });
  await bundle.close();
  for (const name of WITHIN)
    fs.copyFileSync(path.join(ROOT, "node_modules", name, "LICENSE"), path.join(DIST, `chunks/${name}.LICENSE`));
  // bin/bootwright.js takes the bundle while nothing in src/ is newer: what was saved while it was made is.
  fs.utimesSync(path.join(DIST, `${ENTRIES[0]}.js`), startedAt, startedAt);
}

/**
 * Node's own modules as they are: an import first loads all that a module could give, so that node:fs brings its promises
 * and readline, and node:crypto the Web Crypto API, which took a twentieth of a build with nothing to do.
 */
function withBuiltins(code: string): string {
  return code.replace(/^import (?:([\w$]+)|(?:([\w$]+), )?(\{.*\})) from "(node:.+)";$/gm, (_, ...found: string[]) => {
    const [whole, beside, names, id] = found;
    const module = `process.getBuiltinModule("${id}")`;
    const name = whole ?? beside;
    return [
      ...(name === undefined ? [] : [`const ${name} = ${module};`]),
      ...(names === undefined ? [] : [`const ${names.replaceAll(" as ", ": ")} = ${module};`]),
    ].join(" ");
  });
}

/** What a chunk's modules import comes with them. */
function chunkGroups() {
  return Object.entries(CHUNKS).map(([name, modules], index, all) => {
    const files = modules.map(sourceFile);
    return { name, test: (id: string) => files.includes(id), priority: all.length - index };
  });
}

/** Throws when there is no such module. */
function sourceFile(name: string): string {
  return fs.realpathSync(path.join(ROOT, "src", `${name}.ts`));
}
