/** Notes of a release: what commits say in their first line, with the parts of https://www.conventionalcommits.org where they have them. */
import type { Note } from "./document.ts";

const CONVENTIONAL = /^([a-z]+)(?:\(([^()]{1,100})\))?(!)?: +(.+)$/i;

export function noteOf({ commit, message }: { commit: string; message: string }): Note {
  const [first = ""] = message.split("\n");
  const match = CONVENTIONAL.exec(first.trim());
  const breaking = match?.[3] === "!" || /^BREAKING[ -]CHANGE: /m.test(message);
  return {
    commit,
    type: match?.[1]?.toLowerCase() ?? "",
    scope: printableLine(match?.[2] ?? ""),
    breaking,
    subject: printableLine(match?.[4] ?? first),
  };
}

/** Those that change most first; commits of other forms come last. */
const ORDER = ["feat", "fix", "perf", "refactor", "docs", "test", "build", "ci", "chore"];

/** For people: "feat(boot): a menu", breaking ones first. */
export function formatNotes(notes: readonly Note[]): readonly string[] {
  const rank = ({ type, breaking }: Note) =>
    breaking ? -1 : ORDER.includes(type) ? ORDER.indexOf(type) : ORDER.length;
  return [...notes]
    .sort((a, b) => rank(a) - rank(b))
    .map(({ type, scope, breaking, subject }) => {
      const mark = breaking ? "!" : "";
      return type === "" ? subject : `${type}${scope === "" ? "" : `(${scope})`}${mark}: ${subject}`;
    });
}

const printableLine = (text: string): string =>
  text
    .replaceAll(/[\u0000-\u001f\u007f]+/g, " ")
    .trim()
    .slice(0, 500);
