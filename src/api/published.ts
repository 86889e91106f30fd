/** Lists what a place has published: files, the names that move to them, and what keeps them. */
import { BootwrightError } from "../base/errors.ts";
import { shownUrl } from "../base/http.ts";
import { formatSize } from "../base/size.ts";
import { didYouMean } from "../base/suggest.ts";
import { addressOf, type FoundState, newestState } from "../publish/read.ts";
import type { PublishedFile } from "../publish/state.ts";
import { openReadable } from "./places.ts";
import { openProject, type Project } from "./project.ts";
import { type Running, runningIn } from "./running-digests.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";

interface Target {
  readonly to: string;
  /** Of this publication alone; undefined for all that is there. */
  readonly publication: string | undefined;
}

/** `targets`: names of the config's `publish`, or addresses; default all places of the config. */
export async function published(session: Session, { targets }: { targets: readonly string[] }): Promise<Report> {
  await using project = await openProject(session);
  const wanted = targets.length === 0 ? configured(project) : targets.map((one) => targetOf(project, one));
  const running = await runningIn(project);
  const places = [];
  for (const [to, some] of Map.groupBy(wanted, ({ to }) => to)) {
    const place = await openReadable(project, to);
    const found = await newestState(place, session.signal);
    const only = some.map(({ publication }) => publication);
    places.push({
      to,
      address: place.address,
      found,
      files: filesOf(found, { address: place.address, only, running }),
    });
  }
  return {
    data: {
      places: places.map(({ to, address, found, files }) => ({
        ...{ to: shownUrl(to), address: shownUrl(address) },
        ...{ serial: found?.state.serial ?? 0, updated: found?.state.updated ?? null },
        // A publisher has died: the next one writes the names and lists of the newest state.
        settled: found === undefined || found.settled === found.state.serial,
        files: files.map((file) => ({ ...file })),
      })),
    },
    text: places.map(({ address, files }) => describe(shownUrl(address), files)).join("\n\n"),
    quiet: places.flatMap(({ files }) => files.map(({ digest }) => `sha256:${digest}`)).join("\n"),
    summary: places
      .filter(({ found }) => found !== undefined && found.settled < found.state.serial)
      .map(({ address }) => `${shownUrl(address)}: a publisher died; the next one writes its names and lists`)
      .join("\n"),
  };
}

interface ListedFile extends PublishedFile {
  readonly address: string;
  /** Names that move, and mean it now. */
  readonly moving: readonly string[];
  /** Environments that run it, or would after a rollback: retention leaves it. */
  readonly keptBy: readonly string[];
}

interface Listing {
  readonly address: string;
  /** Publications; undefined among them for all. */
  readonly only: readonly (string | undefined)[];
  readonly running: Running;
}

function filesOf(found: FoundState | undefined, { address, only, running }: Listing): readonly ListedFile[] {
  const { files = [], moving = {} } = found?.state ?? {};
  return files
    .filter(({ publication }) => only.includes(undefined) || only.includes(publication))
    .map((file) => ({
      ...file,
      address: shownUrl(addressOf(address, file)),
      moving: Object.keys(moving).filter((name) => moving[name] === file.name),
      keptBy: [...new Set([file.sha256, file.digest].flatMap((digest) => running.get(digest) ?? []))],
    }));
}

function describe(address: string, files: readonly ListedFile[]): string {
  if (files.length === 0) return `${address}: nothing is published`;
  const rows = files.map(({ name, version, size, digest, published: when, moving, keptBy }) => [
    ...[name, version || "-", formatSize(size), `sha256:${digest.slice(0, 12)}`, when],
    ...[moving.join(", ") || "-", keptBy.join(", ") || "-"],
  ]);
  return `${address}\n${alignColumns([["name", "version", "size", "digest", "published", "also", "kept by"], ...rows])}`;
}

function configured({ config }: Project): readonly Target[] {
  const all = Object.entries(config.publish).flatMap(([publication, { to }]) =>
    isListed(to) ? [{ to, publication }] : [],
  );
  if (all.length > 0) return all;
  throw new BootwrightError("CONFIG_INVALID", "the config publishes to no place that can be listed", {
    hint: "name one: bootwright published ./published, s3://BUCKET/PREFIX, oci://HOST/NAME or an http(s) address",
  });
}

/** GitHub and catalogs have lists of their own. */
const isListed = (to: string): boolean => !/^(github|catalog):/.test(to);

function targetOf({ config }: Project, target: string): Target {
  const entry = Object.hasOwn(config.publish, target) ? config.publish[target] : undefined;
  const to = entry?.to ?? target;
  if (!isListed(to))
    throw new BootwrightError("UNSUPPORTED", `${to} has a list of its own`, {
      hint: to.startsWith("catalog:") ? "bootwright kernel ls" : "look at the repository's releases",
    });
  if (entry !== undefined) return { to, publication: target };
  if (target.includes("/") || target.startsWith(".")) return { to, publication: undefined };
  const names = Object.keys(config.publish);
  throw new BootwrightError(
    "NAME_UNKNOWN",
    `the config publishes nothing under "${target}"${didYouMean(target, names)}`,
    {
      hint: names.length === 0 ? "an address works as well, such as ./published" : `it publishes: ${names.join(", ")}`,
    },
  );
}
