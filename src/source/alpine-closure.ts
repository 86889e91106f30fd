/**
 * Which packages of Alpine a root needs: those that are named, all that they depend on, and what says of itself that it belongs
 * to what is there (install_if). No search through all combinations, as apk does not need one either for a branch that fits.
 */
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import {
  type ApkDependency,
  type ApkPackage,
  describeApkDependency,
  matchesApk,
  parseApkDependencies,
} from "../formats/apk-index.ts";
import { compareApkVersions } from "../formats/apk-version.ts";

/** In the order in which they are installed: what a package depends on comes before it. Throws PACKAGE_UNKNOWN, PACKAGE_CONFLICT. */
export function alpineClosure(index: readonly ApkPackage[], wanted: readonly string[]): ApkPackage[] {
  return new Closure(index).resolve(wanted.flatMap(parseApkDependencies));
}

class Closure {
  readonly #providers = new Map<string, ApkPackage[]>();
  readonly #conditional: ApkPackage[] = [];
  readonly #chosen = new Map<string, ApkPackage>();
  /** Who asked for what, for errors. */
  readonly #asked: { readonly dependency: ApkDependency; readonly by: string }[] = [];

  constructor(index: readonly ApkPackage[]) {
    for (const one of index) {
      for (const name of new Set([one.name, ...one.provides.map((provided) => provided.name)])) {
        const list = this.#providers.get(name);
        if (list === undefined) this.#providers.set(name, [one]);
        else list.push(one);
      }
      if (one.installIf.length > 0) this.#conditional.push(one);
    }
  }

  resolve(wanted: readonly ApkDependency[]): ApkPackage[] {
    // What is named is taken first, so that it serves those who would take another provider.
    for (const dependency of wanted) this.#require(dependency, "the config");
    this.#follow();
    for (let before = -1; before !== this.#chosen.size; ) {
      before = this.#chosen.size;
      for (const one of this.#conditional)
        if (!this.#chosen.has(one.name) && one.installIf.every((part) => this.#isThere(part) !== part.conflict))
          this.#choose(one);
      this.#follow();
    }
    this.#check();
    return this.#ordered();
  }

  /** Packages whose dependencies have not been looked at. */
  readonly #open: ApkPackage[] = [];

  #follow(): void {
    for (let one = this.#open.shift(); one !== undefined; one = this.#open.shift())
      for (const dependency of one.depends) this.#require(dependency, one.name);
  }

  #require(dependency: ApkDependency, by: string): void {
    this.#asked.push({ dependency, by });
    if (dependency.conflict || this.#isThere(dependency)) return;
    this.#choose(this.#best(dependency, by));
  }

  #choose(one: ApkPackage): void {
    if (this.#chosen.has(one.name)) return;
    this.#chosen.set(one.name, one);
    this.#open.push(one);
  }

  #isThere(dependency: ApkDependency): boolean {
    return (this.#providers.get(dependency.name) ?? []).some(
      (one) => this.#chosen.get(one.name) === one && matchesApk(one, dependency),
    );
  }

  /** A package of that name before those that provide it; then the highest priority, then the newest. */
  #best(dependency: ApkDependency, by: string): ApkPackage {
    const all = this.#providers.get(dependency.name) ?? [];
    const fitting = all.filter((one) => matchesApk(one, dependency) && !this.#chosen.has(one.name));
    const { name } = dependency;
    const [best] = fitting.sort(
      (a, b) =>
        Number(b.name === name) - Number(a.name === name) ||
        b.providerPriority - a.providerPriority ||
        compareApkVersions(b.version, a.version) ||
        (a.name < b.name ? -1 : 1),
    );
    if (best !== undefined) return best;
    const versions = all.map((one) => `${one.name} ${one.version}`);
    throw new BootwrightError(
      "PACKAGE_UNKNOWN",
      versions.length > 0
        ? `${by} needs ${describeApkDependency(dependency)}; the branch has ${versions.slice(0, 5).join(", ")}`
        : `${by} needs ${name}, which the branch does not have${didYouMean(name, [...this.#providers.keys()])}`,
    );
  }

  /** What is asked for holds in the end, too. */
  #check(): void {
    for (const { dependency, by } of this.#asked) {
      const there = [...this.#chosen.values()].filter((one) => one.name !== by && matchesApk(one, dependency));
      if (dependency.conflict ? there.length === 0 : this.#isThere(dependency)) continue;
      throw new BootwrightError(
        "PACKAGE_CONFLICT",
        dependency.conflict
          ? `${by} cannot be beside ${there.map((one) => `${one.name} ${one.version}`).join(", ")}`
          : `${by} needs ${describeApkDependency(dependency)}, and something else has chosen another version of it`,
      );
    }
  }

  /** Depth first, by name; a circle is cut where it was entered. */
  #ordered(): ApkPackage[] {
    const done = new Set<string>();
    const out: ApkPackage[] = [];
    const visit = (one: ApkPackage): void => {
      if (done.has(one.name)) return;
      done.add(one.name);
      for (const dependency of one.depends) {
        if (dependency.conflict) continue;
        const provider = (this.#providers.get(dependency.name) ?? []).find(
          (other) => this.#chosen.get(other.name) === other && matchesApk(other, dependency),
        );
        if (provider !== undefined) visit(provider);
      }
      out.push(one);
    };
    for (const name of [...this.#chosen.keys()].sort()) visit(this.#chosen.get(name)!);
    return out;
  }
}
