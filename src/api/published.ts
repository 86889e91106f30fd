/** Lists what a place has published: files, the names that move to them, and what keeps them. */
import { BootwrightError } from "../base/errors.ts";
import { shownUrl } from "../base/http.ts";
import { formatSize } from "../base/size.ts";
import { didYouMean } from "../base/suggest.ts";
import type { FoundFile } from "../publish/read.ts";
import { openProject, type Project } from "./project.ts";
import { publicationsAt } from "./publications-at.ts";
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
    const found = await publicationsAt(project, to);
    const only = some.map(({ publication }) => publication);
    places.push({ to, ...found, files: listed(found.files, { only, running }) });
  }
  return {
    data: {
      places: places.map(({ to, address, serial, updated = null, settled, files }) => ({
        ...{ to: shownUrl(to), address: shownUrl(address), serial, updated, settled },
        files: files.map((file) => ({ ...file })),
      })),
    },
    text: places.map(({ address, files }) => describe(shownUrl(address), files)).join("\n\n"),
    quiet: places.flatMap(({ files }) => files.map(({ digest }) => `sha256:${digest}`)).join("\n"),
    summary: places
      .filter(({ settled }) => !settled)
      .map(({ address }) => `${shownUrl(address)}: a publisher died; the next one writes its names and lists`)
      .join("\n"),
  };
}

interface ListedFile extends FoundFile {
  /** Environments that run it, or would after a rollback: retention leaves it. */
  readonly keptBy: readonly string[];
}

interface Listing {
  /** Publications; undefined among them for all. */
  readonly only: readonly (string | undefined)[];
  readonly running: Running;
}

const listed = (files: readonly FoundFile[], { only, running }: Listing): readonly ListedFile[] =>
  files
    .filter(({ publication }) => only.includes(undefined) || only.includes(publication))
    .map((file) => ({
      ...{ ...file, address: shownUrl(file.address) },
      keptBy: [...new Set([file.sha256, file.digest].flatMap((digest) => running.get(digest) ?? []))],
    }));

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
    hint: "name one: bootwright published ./published, s3://BUCKET/PREFIX, oci://HOST/NAME, github:OWNER/REPOSITORY or an http(s) address",
  });
}

/** Catalogs have a list of their own. */
const isListed = (to: string): boolean => !to.startsWith("catalog:");

function targetOf({ config }: Project, target: string): Target {
  const entry = Object.hasOwn(config.publish, target) ? config.publish[target] : undefined;
  const to = entry?.to ?? target;
  if (!isListed(to))
    throw new BootwrightError("UNSUPPORTED", `${to} has a list of its own`, {
      hint: "bootwright kernel ls",
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
