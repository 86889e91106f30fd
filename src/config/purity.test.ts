import { expect, test } from "vitest";
import { isPureModule } from "./purity.ts";

const config = (body: string): string => `import { defineProject } from "bootwright";\n${body}`;

test.each([
  ["a literal", 'export default defineProject({ name: "x" });'],
  [
    "constants, spread and templates",
    "const a = { b: 1 };\nconst n = 'x' + a.b;\nexport default defineProject({ ...a, name: n });",
  ],
  ["functions over lists", 'const f = (x: string) => x + "!";\nexport default defineProject({ list: ["a"].map(f) });'],
  [
    "destructuring and defaults",
    "const { a, b = 2 } = { a: 1 };\nfunction g({ c } = { c: 3 }) { return c; }\nexport default [a, b, g()];",
  ],
  ["types", "type T = Date;\ninterface P { process: T }\nexport default { a: 1 as unknown as P };"],
])("%s is pure", (_, body) => {
  expect(isPureModule(config(body), true)).toBe(true);
});

test.each([
  ["the environment", "export default { name: process.env.USER };"],
  ["the clock", "export default { name: Date.now() };"],
  ["chance", "export default { name: Math.random() };"],
  ["the global object", 'export default { name: globalThis["process"].pid };'],
  ["an import at run time", 'export default { name: (await import("./x.ts")).x };'],
  ["the module's own address", "export default { name: import.meta.url };"],
  ["code from text", 'export default { name: (() => 1).constructor("return process")().pid };'],
  ["a computed member", 'const k = "const" + "ructor";\nexport default { name: (() => 1)[k]("return 1")() };'],
  ["a member taken out by name", 'const { constructor: F } = () => 1;\nexport default F("return process")();'],
  ["the locale", "export default { name: (1.5).toLocaleString() };"],
  ["this", "export default { name: (function () { return this; })() };"],
  ["waiting", "export default { name: await fetch('http://x') };"],
  ["no JavaScript at all", "export default {{"],
])("%s makes it impure", (_, body) => {
  expect(isPureModule(config(body), true)).toBe(false);
});
