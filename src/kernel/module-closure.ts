/** Which modules some names need, and in which order to load them (modprobe.d(5) softdep; kernel Documentation/kbuild/modules.rst). */
import { BootwrightError } from "../base/errors.ts";
import { suggest } from "../base/suggest.ts";
import type { IndexedModule, ModuleIndex } from "./module-index.ts";
import { moduleName } from "./module-tree.ts";

export interface ModuleSelection {
  /** In load order: what a module needs comes before it. */
  readonly order: readonly string[];
  /** Asked for, and part of the kernel image. */
  readonly builtin: readonly string[];
  /** Firmware that the modules name. */
  readonly firmware: readonly string[];
}

/** Throws MODULE_UNKNOWN, with suggestions, for all unknown names at once. `optional` names may be missing. */
export function selectModules(
  index: ModuleIndex,
  { names, optional }: { names: readonly string[]; optional: readonly string[] },
): ModuleSelection {
  const order: string[] = [];
  const builtin: string[] = [];
  const unknown: string[] = [];
  const state = new Map<string, "open" | "done">();
  const builtins = new Set(index.builtin);

  const visit = (name: string, onMissing: () => void): void => {
    const known = resolve(index, name);
    if (known === undefined) {
      if (builtins.has(name)) builtin.push(name);
      else onMissing();
      return;
    }
    if (state.has(known)) return; // "open": soft dependencies may form circles, which loading in either order satisfies.
    state.set(known, "open");
    const module = index.modules[known]!;
    const missing = (dependency: string) => () => {
      throw new BootwrightError(
        "MODULE_UNKNOWN",
        `module ${known} depends on ${dependency}, which the module tree lacks`,
      );
    };
    for (const soft of module.pre) visit(soft, () => {});
    for (const dependency of module.depends) visit(dependency, missing(dependency));
    order.push(known);
    state.set(known, "done");
    for (const soft of module.post) visit(soft, () => {});
  };
  for (const name of optional) visit(moduleName(name), () => {});
  for (const name of names) visit(moduleName(name), () => unknown.push(name));
  if (unknown.length > 0) throw unknownModules(unknown, index);
  return {
    order,
    builtin: [...new Set(builtin)].sort(),
    firmware: firmwareOf(order.map((name) => index.modules[name]!)),
  };
}

/**
 * Lines of modules.dep: "kernel/a.ko: kernel/b.ko", paths relative to the release's directory, direct and indirect, in the
 * order of depmod: the last is loaded first. BusyBox's modprobe relies on it.
 */
export function modulesDep(index: ModuleIndex, selected: readonly string[]): string {
  const prefix = `lib/modules/${index.release}/`;
  const relative = (name: string): string =>
    index.modules[name]!.path.slice(prefix.length).replace(/\.(xz|zst|gz)$/, "");
  const loadOrder = (name: string): string[] => {
    const seen = new Set([name]);
    const order: string[] = [];
    const visit = (user: string): void => {
      for (const dependency of index.modules[user]!.depends) {
        const known = resolve(index, dependency);
        if (known === undefined || seen.has(known)) continue;
        seen.add(known);
        visit(known);
        order.push(known);
      }
    };
    visit(name);
    return order;
  };
  return [...selected]
    .sort()
    .map(
      (name) =>
        `${relative(name)}:${loadOrder(name)
          .reverse()
          .map((dependency) => ` ${relative(dependency)}`)
          .join("")}\n`,
    )
    .join("");
}

function resolve(index: ModuleIndex, name: string): string | undefined {
  if (Object.hasOwn(index.modules, name)) return name;
  return Object.hasOwn(index.aliases, name) ? index.aliases[name] : undefined;
}

function unknownModules(names: readonly string[], index: ModuleIndex): BootwrightError {
  const known = [...Object.keys(index.modules), ...index.builtin];
  const described = names.map((name) => {
    const near = suggest(moduleName(name), known);
    return near === undefined ? `"${name}"` : `"${name}" (did you mean "${near}"?)`;
  });
  return new BootwrightError("MODULE_UNKNOWN", `the kernel ${index.release} has no module ${described.join(", ")}`);
}

const firmwareOf = (modules: readonly IndexedModule[]): string[] =>
  [...new Set(modules.flatMap((module) => module.firmware))].sort();
