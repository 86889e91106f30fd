/**
 * In which order packages are installed into an empty root. Level 0 is unpacked before any script can run: what is essential
 * and what that depends on. Each further level is unpacked when what it pre-depends on is configured (Debian Policy 7.2), with
 * all that this depends on in turn. A package is configured as soon as all that it depends on is unpacked; among those that
 * are configured together, dpkg finds the order itself.
 */
import type { Stanza } from "../formats/deb822.ts";
import { parseDepends } from "../formats/debian-depends.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { readControl } from "./debian-control.ts";

/** The file `order`: a line "UNPACK CONFIGURE PACKAGE" each, with the levels of both. */
export function installOrder({
  name,
  packages,
}: {
  name: string;
  packages: readonly BlobInput[];
}): Stage<{ packages: readonly BlobInput[] }, { order: BlobArtifact }> {
  return defineStage({
    name,
    kind: "debian-install-order",
    version: 1,
    inputs: { packages },
    params: {},
    outputs: ["order"],
    run: async ({ inputs, store, signal }) => {
      const controls: Stanza[] = [];
      for (const file of inputs.packages) {
        signal.throwIfAborted();
        controls.push(await readControl(store.blobs.read(file), name));
      }
      const lines = [...installLevels(controls)].map(
        ([pkg, levels]) => `${levels.unpack} ${levels.configure} ${pkg}\n`,
      );
      return { order: blobArtifact(store.blobs.put(lines.sort().join(""))) };
    },
  });
}

export interface InstallLevels {
  readonly unpack: number;
  readonly configure: number;
}

/** By name. */
export function installLevels(controls: readonly Stanza[]): ReadonlyMap<string, InstallLevels> {
  const known = new Map<string, Stanza[]>();
  for (const control of controls)
    for (const name of [nameOf(control), ...names(control, "provides")])
      known.set(name, [...(known.get(name) ?? []), control]);
  const among = (control: Stanza, field: string): Stanza[] =>
    names(control, field).flatMap((name) => known.get(name) ?? []);
  const closure = (from: readonly Stanza[]): Set<Stanza> => {
    const found = new Set(from);
    for (const control of found)
      for (const field of ["pre-depends", "depends"]) for (const next of among(control, field)) found.add(next);
    return found;
  };

  const levels = new Map<Stanza, number>();
  for (const control of closure(controls.filter((one) => one.get("essential") === "yes"))) levels.set(control, 0);
  const levelOf = (control: Stanza): number => {
    const there = levels.get(control);
    if (there !== undefined) return there;
    levels.set(control, 1); // For those who lead back here: dpkg breaks such a circle where it can.
    let level = 1;
    for (const needed of closure(among(control, "pre-depends"))) level = Math.max(level, levelOf(needed) + 1);
    levels.set(control, level);
    return level;
  };
  for (const control of controls) levelOf(control);
  const configure = (control: Stanza): number =>
    [...closure([control])].reduce((most, needed) => Math.max(most, levelOf(needed)), 0);
  return new Map(
    controls.map((control) => [nameOf(control), { unpack: levelOf(control), configure: configure(control) }]),
  );
}

const nameOf = (control: Stanza): string => control.get("package") ?? "";

const names = (control: Stanza, field: string): readonly string[] =>
  parseDepends(control.get(field) ?? "").flatMap((group) => group.map((relation) => relation.name));
