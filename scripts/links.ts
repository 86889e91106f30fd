/** Broken links of Markdown files: a relative link names a file that is there, an anchor names a heading of it. */
import fs from "node:fs";
import path from "node:path";

export interface BrokenLink {
  /** Relative to the root. */
  readonly file: string;
  readonly line: number;
  readonly link: string;
  readonly why: string;
}

export function findBrokenLinks(root: string, files: readonly string[]): readonly BrokenLink[] {
  return files.flatMap((file) =>
    linksOf(fs.readFileSync(path.join(root, file), "utf8")).flatMap(({ link, line }) => {
      const why = problemOf(link, path.join(root, file));
      return why === undefined ? [] : [{ file, line, link, why }];
    }),
  );
}

function problemOf(link: string, from: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined; // The web is not looked at: a check must not need it.
  const [name, anchor] = link.split("#", 2) as [string, string?];
  const target = name === "" ? from : path.resolve(path.dirname(from), decodeURI(name));
  if (!fs.existsSync(target)) return "no such file";
  if (anchor === undefined || !target.endsWith(".md")) return undefined;
  return anchorsOf(fs.readFileSync(target, "utf8")).has(anchor) ? undefined : "no such heading";
}

/** Inline links and reference definitions, outside code. */
function linksOf(text: string): readonly { link: string; line: number }[] {
  return linesOutsideCode(text).flatMap(({ text: line, number }) =>
    [...line.replaceAll(/`[^`]*`/g, "").matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)/g)].map((match) => ({
      link: (match[1] ?? match[2])!,
      line: number,
    })),
  );
}

/** As GitHub makes them: lower case, punctuation dropped, spaces to hyphens, -1, -2 … for repeated headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  const seen = new Map<string, number>();
  for (const { text: line } of linesOutsideCode(text)) {
    for (const [, id] of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id!);
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

function linesOutsideCode(text: string): readonly { text: string; number: number }[] {
  let fence: string | undefined;
  return text.split("\n").flatMap((line, i) => {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return [];
    }
    return fence === undefined ? [{ text: line, number: i + 1 }] : [];
  });
}
