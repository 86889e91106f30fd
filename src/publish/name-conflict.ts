/** A name means the same bytes for ever: what is published is compared with what was. */
import { BootwrightError } from "../base/errors.ts";
import { VIEW_NAMES } from "./reserved.ts";
import type { PublishedFile, PublishedState, RetiredFile } from "./state.ts";
import type { NewFile, PublishTarget } from "./target.ts";

/**
 * With the names that each file gets here. A name that is made of the content goes on meaning what was published with it first, so
 * the same bytes under a further version do without it. Throws EXISTS when two of the files would share any other name.
 */
export function ownNames(
  target: PublishTarget,
  state: PublishedState | undefined,
  files: readonly NewFile[],
): readonly NewFile[] {
  const before: Omit<RetiredFile, "publication">[] = [...(state?.files ?? []), ...(state?.retired ?? [])];
  const own = files.map((file) => {
    const digest = target.digestOf(file);
    const others = before.filter(
      (one) => one.name !== file.name && one.sha256 === file.sha256 && one.digest !== digest,
    );
    const isTheirs = (name: string) =>
      name.includes(file.sha256) && others.some(({ immutable }) => immutable.includes(name));
    const immutable = file.immutable.filter((name) => !isTheirs(name));
    before.push({ ...file, digest });
    return immutable.length === 0 ? file : { ...file, immutable };
  });
  for (const [i, file] of own.entries())
    for (const other of own.slice(0, i)) {
      const shared = target.namesOf(file).find((name) => target.namesOf(other).includes(name));
      if (shared === undefined || target.digestOf(file) === target.digestOf(other)) continue;
      throw new BootwrightError(
        "EXISTS",
        `${target.documents.address}: publish.${other.publication} and publish.${file.publication} would both be ${shared}`,
        { hint: "publish one of them to another place, or give it `immutable` names of its own" },
      );
    }
  return own;
}

/** What is published under these names with these bytes already, or undefined when the names are free. Throws EXISTS. */
export function nameConflict(
  target: PublishTarget,
  state: PublishedState | undefined,
  file: NewFile,
): PublishedFile | undefined {
  const names = target.namesOf(file);
  const where = target.documents.address;
  const moving = file.moving.map((name) => target.movingName(name, file));
  const reserved = [...names, ...moving].find((name) => VIEW_NAMES.test(name));
  if (reserved !== undefined)
    throw new BootwrightError("EXISTS", `${where}: the name ${reserved} is kept for what Bootwright writes itself`);
  const same = state?.files.find((one) => one.name === file.name);
  if (same !== undefined && same.sha256 === file.sha256) return same;
  const digest = target.digestOf(file);
  const overlaps = (one: RetiredFile) => {
    // A container image is the same digest under each of its names; a name that is made of its content is no other's then.
    const free = one.digest === digest ? names.filter((name) => name.includes(file.sha256)) : [];
    return target.namesOf(one).some((name) => names.includes(name) && !free.includes(name));
  };
  const retired = state?.retired.find(overlaps);
  if (retired !== undefined)
    throw new BootwrightError("EXISTS", `${where}: ${retired.name} was published before, and taken back since`, {
      hint: nextName(state!, file),
    });
  const other = same ?? state?.files.find(overlaps);
  if (other !== undefined)
    throw new BootwrightError(
      "EXISTS",
      `${where} has ${names.find((name) => target.namesOf(other).includes(name)) ?? file.name} already, ${other.sha256 === file.sha256 ? `as ${other.name}` : "with other bytes"}`,
      {
        hint: nextName(state!, file),
        detail: `there  sha256:${other.sha256}  ${other.name}, published ${other.published}\nhere   sha256:${file.sha256}  ${file.name}`,
      },
    );
  const moves = Object.keys(state?.moving ?? {}).find((name) => names.includes(name));
  const still = moving.find((name) => state?.files.some((one) => target.namesOf(one).includes(name)));
  if (moves !== undefined || still !== undefined)
    throw new BootwrightError(
      "EXISTS",
      moves !== undefined
        ? `${where}: ${moves} is a name that moves; it cannot be the name of one file`
        : `${where}: ${still} is the name of one file for ever; it cannot move`,
    );
  return undefined;
}

function nextName({ files, retired }: PublishedState, { version, name }: NewFile): string {
  const taken = [...files, ...retired].map((one) => one.name);
  if (version === "" || !name.includes(version))
    return "a published name never changes: put {version} or {key} into `name`";
  const free = nextVersions(version).find((next) => !taken.includes(name.replaceAll(version, next)));
  return `a published name never changes; the next free version is ${free ?? "another one"}`;
}

/** "0.4.0" → "0.4.1", "0.4.2" …; "2026a" → "2026a-1" … */
function nextVersions(version: string): readonly string[] {
  const [, head, patch] = /^(\d+\.\d+\.)(\d+)$/.exec(version) ?? [];
  return Array.from({ length: 1000 }, (_, i) =>
    head === undefined ? `${version}-${i + 1}` : `${head}${Number(patch) + i + 1}`,
  );
}
