/**
 * Runs `bootwright.config.ts` with Node's own loader. While it loads, "bootwright" means this very package (a project
 * needs no node_modules), and every local file that takes part is recorded: they are what `dev` watches and what the
 * cache of validated configs is keyed by.
 */
import fs from "node:fs";
import module from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isTypeScript } from "./find.ts";
import { isJavaScript } from "./without-types.ts";

export interface LoadedModule {
  readonly value: unknown;
  /** Absolute paths of the local modules, the config first. */
  readonly files: readonly string[];
  /** False when something other than local files and this package was imported. */
  readonly selfContained: boolean;
}

const VERSION_KEY = "bootwright-load";
const OWN_MODULES: Readonly<Record<string, string>> = {
  bootwright: "../index",
  "bootwright/test": "../boottest/index",
};
/** `.ts` in a checkout, `.js` in the bundle: both lie one directory below the package's doors. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));

let loads = 0;

/** Throws whatever the module throws. Each call runs the file anew, also when it has not changed. */
export async function loadModule(file: string): Promise<LoadedModule> {
  const version = String(++loads);
  const files = new Set<string>([file]);
  const entryUrl = pathToFileURL(fs.realpathSync(file));
  entryUrl.searchParams.set(VERSION_KEY, version);
  const entry = entryUrl.href;
  let selfContained = true;

  const belongs = (parent: string | undefined) =>
    parent !== undefined && new URL(parent).searchParams.get(VERSION_KEY) === version;

  const hooks = module.registerHooks({
    resolve(specifier, context, next) {
      if (specifier === entry) return { url: specifier, format: formatOf(file), shortCircuit: true };
      if (!belongs(context.parentURL)) return next(specifier, context);
      const own = OWN_MODULES[specifier];
      if (own !== undefined) return { url: new URL(own + EXTENSION, import.meta.url).href, shortCircuit: true };
      const resolved = next(specifier, context);
      if (!resolved.url.startsWith("file:") || resolved.url.includes("/node_modules/")) {
        selfContained = false;
        return resolved;
      }
      const url = new URL(resolved.url);
      files.add(fileURLToPath(url));
      url.searchParams.set(VERSION_KEY, version);
      const local = fileURLToPath(resolved.url);
      return { ...resolved, url: url.href, ...(isTypeScript(local) ? { format: formatOf(local) } : {}) };
    },
  });
  try {
    const loaded = (await import(entry)) as { default?: unknown };
    return { value: loaded.default, files: [...files], selfContained };
  } finally {
    hooks.deregister();
  }
}

/** A config is an ES module whatever the project's package.json says: `npm init` writes "commonjs". */
const formatOf = (file: string): "module" | "module-typescript" =>
  isTypeScript(file) && !isJavaScript(fs.readFileSync(file, "utf8")) ? "module-typescript" : "module";
