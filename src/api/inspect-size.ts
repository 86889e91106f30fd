/** What takes the space in an artifact: its largest files, by directory, and by package where the tree knows packages. */
import type { Json } from "../base/json.ts";
import { formatSize } from "../base/size.ts";
import { parentPath } from "../formats/filetree.ts";
import { packageOfFiles } from "../formats/package-files.ts";
import { distinctFiles } from "../formats/tree-size.ts";
import type { Weight } from "../tree/budget.ts";
import { openArtifact } from "./artifact-ref.ts";
import { type Description, describe } from "./description.ts";
import { withRefs } from "./refs.ts";
import type { Report, Session } from "./session.ts";

interface SizeReport {
  readonly total: number;
  readonly files: number;
  readonly largest: readonly Weight[];
  /** Of each, all that lies below it. */
  readonly directories: readonly Weight[];
  /** Absent: the tree has no database of packages. */
  readonly packages?: readonly Weight[];
}

const SHOWN = 15;
/** Deeper directories say little that those above them do not. */
const DEPTH = 3;
const NO_PACKAGE = "(no package)";

export function inspectSize(session: Session, { ref }: { ref: string }): Promise<Report> {
  return withRefs(session, async (context) => {
    const artifact = openArtifact(ref, context);
    try {
      const report =
        artifact.kind === "tree"
          ? sizeReport(
              [...distinctFiles(artifact.tree)].map(({ path, content }) => ({ name: `/${path}`, size: content.size })),
              packageOfFiles(artifact.tree, (entry) => context.store.readContent(entry.content).toString("utf8")),
            )
          : sizeReport(weights(await describe(artifact), ""), new Map());
      return { data: { ref, ...(report as unknown as Record<string, Json>) }, text: sizeText(report) };
    } finally {
      if (artifact.kind === "file") artifact.source[Symbol.dispose]();
    }
  });
}

/** Files in whatever lies inside whatever; what cannot be looked into counts as one. */
function weights({ parts, format, size }: Description, above: string): Weight[] {
  if (parts.length === 0) return [{ name: above === "" ? `(${format})` : above, size }];
  return parts.flatMap((part) => {
    const name = part.name.startsWith("/") ? `${above}${part.name}` : `${above}/${part.name}`;
    if (part.inside !== undefined) return weights(part.inside, name);
    const { type } = part.attributes;
    return part.size > 0 && (type === undefined || type === "file" || part.name.startsWith("/") === false)
      ? [{ name, size: part.size }]
      : [];
  });
}

function sizeReport(files: readonly Weight[], owners: ReadonlyMap<string, string>): SizeReport {
  const directories = new Map<string, number>();
  const packages = new Map<string, number>();
  let total = 0;
  for (const { name, size } of files) {
    total += size;
    for (let dir = parentPath(name); dir !== ""; dir = parentPath(dir))
      if (dir.split("/").length - 1 <= DEPTH) directories.set(dir, (directories.get(dir) ?? 0) + size);
    const owner = owners.get(name.slice(1)) ?? NO_PACKAGE;
    packages.set(owner, (packages.get(owner) ?? 0) + size);
  }
  return {
    ...{ total, files: files.length, largest: heaviest(files), directories: heaviest(named(directories)) },
    ...(owners.size > 0 && { packages: heaviest(named(packages)) }),
  };
}

const named = (sizes: ReadonlyMap<string, number>): Weight[] => [...sizes].map(([name, size]) => ({ name, size }));

const heaviest = (all: readonly Weight[]): Weight[] =>
  [...all].sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1)).slice(0, SHOWN);

function sizeText({ total, files, largest, directories, packages }: SizeReport): string {
  const part = (title: string, all: readonly Weight[]): string[] => [
    title,
    ...all.map(({ name, size }) => `${formatSize(size).padStart(12)} ${share(size, total)}  ${name}`),
  ];
  return [
    `${formatSize(total)} in ${files} files`,
    ...part("largest files", largest),
    ...(directories.length === 0 ? [] : part("directories, with all below them", directories)),
    ...(packages === undefined ? [] : part("packages", packages)),
  ].join("\n");
}

const share = (size: number, total: number): string =>
  `${total === 0 ? 0 : Math.round((100 * size) / total)}%`.padStart(4);
