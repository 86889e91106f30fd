import { expect, test } from "vitest";
import { fillTemplate, missingWord, templateMistake } from "./template.ts";

test("words are filled in, and what no name may hold is not", () => {
  const values = { name: "zos", "kernel.release": "6.12.44-Zero OS/1", key: "1a2b3c4d" };
  expect(fillTemplate("vmlinuz-{kernel.release}-{key}.efi", values)).toBe("vmlinuz-6.12.44-Zero_OS_1-1a2b3c4d.efi");
  expect(missingWord("{name}-{version}", values)).toBe("version");
  expect(missingWord("{name}", values)).toBeUndefined();
});

test.each([
  ["{image}-{versoin}.iso", 'did you mean "version"?'],
  ["{something}", "{kernel.release}"],
  ["a/b", "expected a name"],
  ["..", "expected a name"],
  ["{image", "expected a name"],
  ["", "expected a name"],
])("%j is a mistake", (template, said) => {
  expect(templateMistake(template)).toContain(said);
});

test.each(["{image}.iso", "v{version}", "sha256-{sha256}", "{name}"])("%j is none", (template) => {
  expect(templateMistake(template)).toBeUndefined();
});
