import { expect, test } from "vitest";
import { formatNotes, noteOf } from "./notes.ts";

const note = (message: string) => noteOf({ commit: "c", message });

test("conventional commits are taken apart, others kept as they are", () => {
  expect(note("feat(boot): a menu\n\nbody")).toEqual({
    ...{ commit: "c", type: "feat", scope: "boot", breaking: false, subject: "a menu" },
  });
  expect(note("fix!: no more")).toMatchObject({ type: "fix", breaking: true });
  expect(note("chore: x\n\nBREAKING CHANGE: y")).toMatchObject({ breaking: true });
  expect(note("Merge: the rest")).toMatchObject({ type: "merge" });
  expect(note("as it is")).toMatchObject({ type: "", subject: "as it is" });
  expect(note("a\u001b[31mred\u0007")).toMatchObject({ subject: "a [31mred" });
});

test("what breaks comes first, then features and fixes", () => {
  const all = ["docs: d", "other", "fix: f", "feat(x): n", "perf!: p"].map(note);
  expect(formatNotes(all)).toEqual(["perf!: p", "feat(x): n", "fix: f", "docs: d", "other"]);
});
