/** Removes bundles from the user's library, unless a project still pins them. */
import { BootwrightError } from "../base/errors.ts";
import { Library } from "../catalog/library.ts";
import { describeBundle } from "../catalog/manifest.ts";
import { BundleUses } from "../catalog/uses.ts";
import { parseBundleName } from "./kernel-pull.ts";
import type { Report, Session } from "./session.ts";

export interface KernelRemoveOptions {
  /** NAME (all versions) or NAME@VERSION. */
  readonly names: readonly string[];
  /** Also what is in use. */
  readonly yes: boolean;
  readonly dryRun: boolean;
}

/** Needs no project. All or none: what may not go stops the rest. */
export async function kernelRemove(session: Session, { names, yes, dryRun }: KernelRemoveOptions): Promise<Report> {
  const library = new Library(session.dataDir);
  const uses = new BundleUses(session.dataDir);
  const bundles = names.flatMap((text) => {
    const { name, version } = parseBundleName(text, undefined);
    const found = library
      .list()
      .filter(({ manifest }) => manifest.name === name && (version === undefined || manifest.version === version));
    if (found.length === 0)
      throw new BootwrightError("NAME_UNKNOWN", `you have no bundle ${text}`, { hint: "bootwright kernel ls" });
    return found;
  });
  const used = bundles.flatMap((bundle) => uses.of(bundle.sha256).map((project) => ({ bundle, project })));
  if (used.length > 0 && !yes)
    throw new BootwrightError("IN_USE", `${names.join(", ")}: still pinned by a project`, {
      detail: used.map(({ bundle, project }) => `${describeBundle(bundle.manifest)}  ${project}`).join("\n"),
      hint: `bootwright kernel rm ${names.join(" ")} --yes`,
    });
  if (!dryRun) for (const bundle of bundles) library.remove(bundle);
  return {
    data: { removed: bundles.map(({ manifest: { name, version, arch } }) => ({ name, version, arch })), dryRun },
    text: bundles
      .map(({ manifest }) => `${dryRun ? "would remove" : "removed"} ${describeBundle(manifest)}`)
      .join("\n"),
    exit: dryRun && bundles.length > 0 ? 10 : 0,
  };
}
