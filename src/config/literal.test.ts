import fc from "fast-check";
import { expect, test } from "vitest";
import { locateInModule } from "./literal.ts";
import type { ConfigPath } from "./path.ts";

/** The text at a path, with `~` before it when it is only the nearest place, `?` when that is computed. */
function at(source: string, path: ConfigPath, key = false): string {
  const place = locateInModule(source, true)({ path, key });
  const mark = place.computed ? "?" : place.found < path.length ? "~" : "";
  return mark + source.slice(place.start, place.end);
}

const SOURCE = `import { defineProject } from "bootwright";
const common = { arch: "x86_64" } as const;
const images = { hello: { kind: "uki", cmdline: ["a", "b"].join(" ") } };
export default defineProject({
  ...common,
  name: "hello" satisfies string,
  "initramfs": { run: ["/a", ...more(), "/b"], files: { "/etc/motd": "hi" } },
  images,
} as never);
`;

test("literals, constants and spreads are followed", () => {
  expect(at(SOURCE, ["name"])).toBe('"hello"');
  expect(at(SOURCE, ["arch"])).toBe('"x86_64"');
  expect(at(SOURCE, ["images", "hello", "kind"])).toBe('"uki"');
  expect(at(SOURCE, ["initramfs", "files", "/etc/motd"])).toBe('"hi"');
  expect(at(SOURCE, ["initramfs", "run", 0])).toBe('"/a"');
  expect(at(SOURCE, ["initramfs", "files", "/etc/motd"], true)).toBe('"/etc/motd"');
});

test("what is computed or missing is said at the nearest place that is written", () => {
  expect(at(SOURCE, ["images", "hello", "cmdline", 1])).toBe("?cmdline");
  expect(at(SOURCE, ["initramfs", "run", 2])).toBe("?run");
  expect(at(SOURCE, ["initramfs", "init"])).toBe('~"initramfs"');
});

test("exports of other forms", () => {
  expect(at('const p = defineProject({ name: "a" });\nexport default p;', ["name"])).toBe('"a"');
  expect(at('export default { name: "a" };', ["name"])).toBe('"a"');
  expect(at("export default make();", ["name"])).toMatch(/^\?/);
  expect(at("module.exports = {}", ["name"])).toMatch(/^\?/);
});

test("cycles of constants end", () => {
  expect(at("const a = b;\nconst b = a;\nexport default a;", ["name"])).toMatch(/^\?/);
  expect(at("const a = { ...b };\nconst b = { ...a };\nexport default a;", ["name"])).toMatch(/^\?/);
});

test("any text gives some place", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 80 }),
      fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }),
      (source, path) => {
        const place = locateInModule(source, true)({ path, key: false });
        expect(place.start).toBeGreaterThanOrEqual(0);
      },
    ),
  );
});
