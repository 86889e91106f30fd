#!/usr/bin/env node
// biome-ignore-all lint/style/useNodejsImportProtocol: Node 12 cannot require by it
// Starts Bootwright. This file is plain JavaScript that even Node 12 can parse, so that an old Node can find a new one
// (a project may have it in node_modules/.bin), or say what is missing.
import { createRequire } from "module";

// What is required comes as it is; an import would first load all that a module could give (node:fs: its promises, readline).
const require = createRequire(import.meta.url);
const fs = require("fs");
const os = require("os");
const path = require("path");
const { fileURLToPath } = require("url");

const NEEDED = 24;
const here = path.dirname(fs.realpathSync(fileURLToPath(import.meta.url)));

if (major(process.versions.node) >= NEEDED) {
  run();
} else {
  restart();
}

function run() {
  const file = program();
  // Also keeps TypeScript with its types taken out. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE still decide.
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache");
  if (!process.env.NODE_COMPILE_CACHE) require("module").enableCompileCache(path.join(cache, "bootwright", "compiled"));
  import(String(new URL("file://" + encodeURI(file).replace(/[?#]/g, encodeURIComponent)))).catch((error) => {
    process.stderr.write((error instanceof Error ? error.stack : String(error)) + "\n");
    process.exit(1);
  });
}

/** The bundle, unless this is a checkout whose source is newer: its files' and directories' times are compared. */
function program() {
  const source = path.join(here, "../src");
  const bundle = path.join(here, "../dist/cli/entry.js");
  if (!fs.existsSync(source)) return bundle;
  const made = fs.statSync(bundle, { throwIfNoEntry: false });
  return made !== undefined && !isNewer(source, made.mtimeMs) ? bundle : path.join(source, "cli/entry.ts");
}

function isNewer(dir, time) {
  if (fs.statSync(dir).mtimeMs > time) return true;
  return fs.readdirSync(dir, { withFileTypes: true }).some((entry) => {
    if (/\.(test|fake)\.ts$/.test(entry.name)) return false;
    const name = dir + "/" + entry.name;
    return entry.isDirectory() ? isNewer(name, time) : fs.statSync(name).mtimeMs > time;
  });
}

function restart() {
  const node = findNode();
  if (node === undefined) {
    process.stderr.write(
      "bootwright needs Node " +
        NEEDED +
        " or newer; this is Node " +
        process.versions.node +
        " (" +
        process.execPath +
        ").\n" +
        "Install it from https://nodejs.org/ or, in the project: npm install --save-dev node@" +
        NEEDED +
        "\n",
    );
    process.exit(4);
  }
  const args = [fileURLToPath(import.meta.url)].concat(process.argv.slice(2));
  const child = require("child_process").spawn(node, args, { stdio: "inherit" });
  // The terminal sends Ctrl-C to both of us: only wait. What is sent to us alone is passed on.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write("bootwright cannot start " + node + ": " + error.message + "\n");
    process.exit(4);
  });
  child.on("exit", (code, signal) => process.exit(signal ? 128 + (os.constants.signals[signal] || 0) : code));
}

/** The nearest node_modules/.bin/node that is new enough: upwards from this package, then from the working directory. */
function findNode() {
  const starts = [here, process.cwd()];
  for (let i = 0; i < starts.length; i++) {
    for (let dir = starts[i]; ; dir = path.dirname(dir)) {
      const candidate = path.join(dir, "node_modules", ".bin", "node");
      if (fs.existsSync(candidate) && isNew(candidate)) return candidate;
      if (dir === path.dirname(dir)) break;
    }
  }
  return undefined;
}

/** Read from the package beside the program: starting each candidate would take longer. */
function isNew(candidate) {
  try {
    for (let dir = path.dirname(fs.realpathSync(candidate)); dir !== path.dirname(dir); dir = path.dirname(dir)) {
      const manifest = path.join(dir, "package.json");
      if (fs.existsSync(manifest)) return major(JSON.parse(fs.readFileSync(manifest, "utf8")).version) >= NEEDED;
    }
  } catch {
    return false;
  }
  return false;
}

function major(version) {
  return Number(version.split(".")[0]);
}
