/** Which packages a root needs: the base that every Debian system has, those that are named, and all that they depend on. */
import { BootwrightError } from "../base/errors.ts";
import type { Stanza } from "../formats/deb822.ts";
import { type Alternatives, parseDepends, satisfiesVersion } from "../formats/debian-depends.ts";
import { type DebianArchive, dependsOf } from "./debian-archive.ts";

export interface RootWish {
  readonly packages: readonly string[];
  /** "required" is debootstrap's minbase; "essential" leaves out what only a package manager or a person needs. */
  readonly variant: "essential" | "required";
  readonly recommends: boolean;
}

/**
 * Of alternatives, taken before the first: the root has a merged /usr from its first file on, so nothing has to convert it.
 */
const PREFERRED: ReadonlySet<string> = new Set(["usr-is-merged"]);

/**
 * By name. As apt, a dependency that something chosen fulfils, by its name or by what it provides, brings nothing more; else
 * the first alternative that there is. Throws PACKAGE_UNKNOWN.
 */
export function rootPackages(archive: DebianArchive, { packages, variant, recommends }: RootWish): Stanza[] {
  const chosen = new Map<string, Stanza>();
  const provided = new Set<string>();
  const open: { stanza: Stanza; recommends: boolean }[] = [];
  const choose = (stanza: Stanza, follow: boolean): void => {
    const name = stanza.get("package")!;
    if (chosen.has(name)) return;
    chosen.set(name, stanza);
    for (const group of parseDepends(stanza.get("provides") ?? ""))
      for (const { name: virtual } of group) provided.add(virtual);
    open.push({ stanza, recommends: follow });
  };
  const named = packages.map((name) => archive.get(name));
  const essential = archive.having("Essential", "yes");
  if (essential.length === 0)
    throw new BootwrightError(
      "PACKAGE_UNKNOWN",
      "the archive has no essential packages, so no root can be made from it",
      {
        hint: "sources.debian must name a whole distribution; single packages are taken with `unpack: true`",
      },
    );
  for (const stanza of essential) choose(stanza, false);
  if (variant === "required") for (const stanza of archive.having("Priority", "required")) choose(stanza, false);
  for (const stanza of named) choose(stanza, recommends);

  const isFulfilled = (group: Alternatives): boolean =>
    group.some(({ name, version }) => chosen.has(name) || (version === undefined && provided.has(name)));
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const { stanza } = next;
    for (const group of dependsOf(stanza)) {
      if (isFulfilled(group)) continue;
      const found = bestOf(archive, group);
      if (found === undefined)
        throw new BootwrightError(
          "PACKAGE_UNKNOWN",
          `${stanza.get("package")} depends on ${group.map(({ name }) => name).join(" or ")}, which the archive does not have`,
        );
      choose(found, next.recommends);
    }
    if (!next.recommends) continue;
    for (const group of parseDepends(stanza.get("recommends") ?? "")) {
      const found = isFulfilled(group) ? undefined : bestOf(archive, group);
      if (found !== undefined) choose(found, true);
    }
  }
  return [...chosen.values()].sort((a, b) => (a.get("package")! < b.get("package")! ? -1 : 1));
}

function bestOf(archive: DebianArchive, group: Alternatives): Stanza | undefined {
  const ordered = [...group].sort((a, b) => Number(PREFERRED.has(b.name)) - Number(PREFERRED.has(a.name)));
  for (const relation of ordered) {
    const stanza =
      archive.find(relation.name, (candidate) => satisfiesVersion(candidate.get("version")!, relation)) ??
      archive.providers(relation.name).sort(byPriority)[0];
    if (stanza !== undefined) return stanza;
  }
  return undefined;
}

const PRIORITIES = ["required", "important", "standard", "optional", "extra"];

const byPriority = (a: Stanza, b: Stanza): number =>
  PRIORITIES.indexOf(a.get("priority") ?? "extra") - PRIORITIES.indexOf(b.get("priority") ?? "extra") ||
  (a.get("package")! < b.get("package")! ? -1 : 1);
