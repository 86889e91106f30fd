/** Documents that cannot rot: what they quote is what is there. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findBrokenLinks } from "../../scripts/links.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const read = (file: string): string => fs.readFileSync(path.join(ROOT, file), "utf8");

test("README shows the config of examples/hello, word for word", () => {
  const shown = /```ts\n([\s\S]*?)```/.exec(read("README.md"))?.[1];
  expect(shown).toBe(read("examples/hello/bootwright.config.ts"));
});

test("decisions are numbered, have a status, and are listed", () => {
  const dir = path.join(ROOT, "docs/decisions");
  const files = fs.readdirSync(dir).filter((name) => name !== "README.md");
  expect(files.sort().map((name) => name.slice(0, 4))).toEqual(files.map((_, i) => String(i + 1).padStart(4, "0")));
  for (const name of files) {
    const text = fs.readFileSync(path.join(dir, name), "utf8");
    expect(text, name).toMatch(/^# \d{4}: .+\n\nStatus: (accepted|replaced by \d{4})\n/);
    for (const part of ["## Context", "## Decision", "## Alternatives"]) expect(text, name).toContain(`\n${part}\n`);
    expect(read("docs/decisions/README.md")).toContain(`(${name})`);
  }
});

test("files that documents name by path are there", () => {
  const documents = execFileSync("git", ["ls-files", "*.md"], { cwd: ROOT, encoding: "utf8" })
    .split("\n")
    .filter(Boolean);
  const missing = documents.flatMap((file) =>
    [...read(file).matchAll(/`((?:src|docs|test|scripts|bench|guest|examples|schemas)\/[\w./-]*\w)`/g)]
      .map((match) => match[1]!)
      .filter((name) => !/\/out\//.test(name) && !fs.existsSync(path.join(ROOT, name)))
      .map((name) => `${file}: ${name}`),
  );
  expect(missing).toEqual([]);
});

describe("links", () => {
  let dir = "";
  beforeAll(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), "links-"));
    fs.writeFileSync(
      path.join(dir, "b.md"),
      "# One thing\n\n## `code`, and more\n\n## One thing\n\n```\n# no heading\n```\n",
    );
  });
  afterAll(() => fs.rmSync(dir, { recursive: true }));

  const broken = (text: string): readonly string[] => {
    fs.writeFileSync(path.join(dir, "a.md"), text);
    return findBrokenLinks(dir, ["a.md"]).map(({ line, link, why }) => `${line} ${link} ${why}`);
  };

  test("that lead somewhere are left alone", () => {
    expect(broken("[a](b.md) [b](./b.md#one-thing) [c](b.md#one-thing-1) [d](b.md#code-and-more)")).toEqual([]);
    expect(broken('# Here\n\n[a](#here) [w](https://example.org/x) ![p](b.md "title")\n\n[r]: b.md\n')).toEqual([]);
  });

  test("that lead nowhere are found, with their line", () => {
    expect(broken("\n[a](c.md)\n[b](b.md#two)\n[c](#here)")).toEqual([
      "2 c.md no such file",
      "3 b.md#two no such heading",
      "4 #here no such heading",
    ]);
    expect(broken("[r]: c.md")).toEqual(["1 c.md no such file"]);
  });

  test("in code are none, and neither are headings in code", () => {
    expect(broken("```\n[a](c.md)\n```\n`[a](c.md)`")).toEqual([]);
    expect(broken("[a](b.md#no-heading)")).toHaveLength(1);
  });
});
