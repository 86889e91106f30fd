/** Two artifacts, compared part by part. */
import { EXIT } from "../base/error-codes.ts";
import { formatSize } from "../base/size.ts";
import { openArtifact } from "./artifact-ref.ts";
import { type Description, describe, type Part } from "./description.ts";
import { withRefs } from "./refs.ts";
import type { Report, Session } from "./session.ts";

export interface DiffOptions {
  readonly a: string;
  readonly b: string;
}

export interface Difference {
  /** ".initrd › /etc/motd" */
  readonly part: string;
  readonly change: "added" | "removed" | "changed";
  /** Attribute → [before, after]. */
  readonly attributes: Readonly<Record<string, readonly [string, string]>>;
}

/** Exit code 10 when they differ. */
export function diff(session: Session, options: DiffOptions): Promise<Report> {
  return withRefs(session, async (context) => {
    const [a, b] = [openArtifact(options.a, context), openArtifact(options.b, context)];
    try {
      const [before, after] = [await describe(a), await describe(b)];
      const differences = before.digest === after.digest ? [] : compare(before, after, "");
      // Nothing of what we know how to look at differs, but the bytes do.
      const opaque = before.digest !== after.digest && differences.length === 0;
      return {
        data: {
          a: before.digest,
          b: after.digest,
          same: before.digest === after.digest,
          differences: differences.map((difference) => ({ ...difference, attributes: { ...difference.attributes } })),
        },
        text: opaque
          ? `the bytes differ: ${before.digest.slice(0, 19)}, ${after.digest.slice(0, 19)}`
          : differences.map(line).join("\n"),
        summary:
          before.digest === after.digest
            ? "no difference"
            : `${differences.length} difference${differences.length === 1 ? "" : "s"}`,
        exit: before.digest === after.digest ? EXIT.ok : EXIT.different,
      };
    } finally {
      for (const artifact of [a, b]) if (artifact.kind === "file") artifact.source[Symbol.dispose]();
    }
  });
}

function compare(before: Description, after: Description, prefix: string): Difference[] {
  if (before.format !== after.format)
    return [{ part: prefix || "(whole)", change: "changed", attributes: { format: [before.format, after.format] } }];
  const facts = attributeChanges(before.facts, after.facts);
  const found: Difference[] =
    Object.keys(facts).length === 0 ? [] : [{ part: prefix || "(whole)", change: "changed", attributes: facts }];
  const [old, now] = [byName(before.parts), byName(after.parts)];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [one, other] = [old.get(name), now.get(name)];
    const part = prefix === "" ? name : `${prefix} › ${name}`;
    if (one === undefined) found.push({ part, change: "added", attributes: { size: ["", formatSize(other!.size)] } });
    else if (other === undefined)
      found.push({ part, change: "removed", attributes: { size: [formatSize(one.size), ""] } });
    else found.push(...comparePart(one, other, part));
  }
  return found;
}

function comparePart(one: Part, other: Part, part: string): Difference[] {
  const changes = attributeChanges(one.attributes, other.attributes);
  if (Object.keys(changes).length === 0) return [];
  if (one.inside !== undefined && other.inside !== undefined) {
    const deeper = compare(one.inside, other.inside, part);
    if (deeper.length > 0) return deeper;
  }
  if (one.size !== other.size) changes.size = [formatSize(one.size), formatSize(other.size)];
  return [{ part, change: "changed", attributes: changes }];
}

function attributeChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): Record<string, readonly [string, string]> {
  const changes: Record<string, readonly [string, string]> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
    if (before[name] !== after[name]) changes[name] = [before[name] ?? "", after[name] ?? ""];
  // The text says more than its digest.
  if (changes.text !== undefined) delete changes.digest;
  return changes;
}

const byName = (parts: readonly Part[]): Map<string, Part> => new Map(parts.map((part) => [part.name, part]));

function line({ part, change, attributes }: Difference): string {
  const sign = { added: "+", removed: "-", changed: "~" }[change];
  const details = Object.entries(attributes).map(
    ([name, [before, after]]) =>
      `${name} ${shown(before)}${change === "changed" ? ` → ${shown(after)}` : shown(after)}`,
  );
  return `${sign} ${part}  ${details.join(", ")}`;
}

const shown = (value: string): string =>
  value.startsWith("sha256:") ? value.slice(0, 19) : value.includes("\n") ? JSON.stringify(value) : value;
