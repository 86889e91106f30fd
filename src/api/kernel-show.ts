/** Says all about one bundle: the user's own, else what a catalog's index says of it. */
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { Library, type LibraryBundle } from "../catalog/library.ts";
import { describeBundle } from "../catalog/manifest.ts";
import { BundleUses } from "../catalog/uses.ts";
import { availableBundles, describeOwn } from "./kernel-list.ts";
import { parseBundleName } from "./kernel-pull.ts";
import { openProject } from "./project.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";

export async function kernelShow(session: Session, text: string): Promise<Report> {
  const wish = parseBundleName(text, undefined);
  const own = new Library(session.dataDir).find(wish);
  if (own !== undefined) return showOwn(session, own);
  await using project = await openProject(session);
  const found = (await availableBundles(project)).find(
    ({ name, version }) => name === wish.name && (wish.version === undefined || version === wish.version),
  );
  if (found === undefined)
    throw new BootwrightError("NAME_UNKNOWN", `neither you nor the project's catalogs have a bundle ${text}`, {
      hint: "bootwright kernel ls --available",
    });
  return {
    data: { kernel: { ...found } },
    text: alignColumns([
      ["bundle", describeBundle(found)],
      ["release", found.release],
      ["catalog", found.catalog],
      ["size", formatSize(found.size)],
      ["digest", `sha256:${found.sha256}`],
      ["features", found.features.join(" ")],
      ["added", found.added],
    ]),
    summary: `next: bootwright kernel pull ${text}`,
  };
}

function showOwn(session: Session, own: LibraryBundle): Report {
  const { manifest, origin } = own;
  const uses = new BundleUses(session.dataDir).of(own.sha256);
  const modules = Object.keys(manifest.files).filter((path) => path.startsWith("modules/"));
  const files = Object.entries(manifest.files).filter(([path]) => !path.startsWith("modules/"));
  return {
    data: { kernel: { ...describeOwn(own), provenance: { ...manifest.provenance }, usedBy: [...uses] } },
    text: alignColumns([
      ["bundle", describeBundle(manifest)],
      ["release", manifest.release],
      ["from", `${origin.from} (${origin.at})`],
      ["size", formatSize(own.size)],
      ["digest", `sha256:${own.sha256}`],
      ...(manifest.config === undefined ? [] : [["config", `sha256:${manifest.config}`]]),
      ["features", manifest.features.join(" ")],
      ...files.map(([path, { hash, size }]) => ["file", `${path}  ${formatSize(size)}  sha256:${hash.slice(0, 12)}`]),
      ...(modules.length === 0 ? [] : [["modules", String(modules.length)]]),
      ...Object.entries(manifest.provenance).flatMap(([name, value]) =>
        value.split("\n").map((line, i) => [i === 0 ? name : "", line]),
      ),
      ...uses.map((project) => ["used by", project]),
    ]),
  };
}
