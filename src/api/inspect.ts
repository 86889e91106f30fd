/** What an artifact holds. */
import type { Json } from "../base/json.ts";
import { formatSize } from "../base/size.ts";
import { openArtifact } from "./artifact-ref.ts";
import { type Description, describe, type Part } from "./description.ts";
import { withRefs } from "./refs.ts";
import type { Report, Session } from "./session.ts";

export interface InspectOptions {
  /** An image, a stage, a digest or a file. */
  readonly ref: string;
}

export function inspect(session: Session, { ref }: InspectOptions): Promise<Report> {
  return withRefs(session, async (context) => {
    const artifact = openArtifact(ref, context);
    try {
      const description = await describe(artifact);
      return {
        data: { ref, ...(description as unknown as Record<string, Json>) },
        text: descriptionText(description, ""),
        quiet: description.digest,
      };
    } finally {
      if (artifact.kind === "file") artifact.source[Symbol.dispose]();
    }
  });
}

function descriptionText(description: Description, indent: string): string {
  const { format, size, digest, facts, derived, parts } = description;
  const lines = [`${indent}${format}  ${formatSize(size)}  ${digest.slice(0, 19)}`];
  for (const [name, value] of Object.entries({ ...facts, ...derived })) lines.push(`${indent}  ${name}: ${value}`);
  for (const part of parts)
    lines.push(...partLines(part, { indent: `${indent}  `, entries: ["tree", "initramfs"].includes(format) }));
  return lines.join("\n");
}

function partLines(part: Part, { indent, entries }: { indent: string; entries: boolean }): string[] {
  const { type = "", mode = "", owner = "", target, device, text, digest = "" } = part.attributes;
  const size = part.size > 0 || type === "" || type === "file" ? formatSize(part.size) : (device ?? "");
  const about = entries
    ? [
        type.padEnd(9),
        mode,
        owner.padEnd(5),
        size.padStart(10),
        part.name + (target === undefined ? "" : ` → ${target}`),
      ]
    : [part.name.padEnd(10), size.padStart(10), digest.slice(0, 19)];
  const lines = [`${indent}${about.join("  ")}`.trimEnd()];
  if (text !== undefined)
    lines.push(
      ...text
        .trimEnd()
        .split("\n")
        .map((line) => `${indent}    ${line}`),
    );
  if (part.inside !== undefined) lines.push(descriptionText(part.inside, `${indent}    `));
  return lines;
}
