import { expect, test } from "vitest";
import { endingOf } from "./ending.ts";

test.each([
  ["vmlinuz-6.12.48-own.efi", ".efi"],
  ["root-0.4.0.tar.zst", ".tar.zst"],
  ["box-app-1.0.0-x86_64.oci.tar", ".oci.tar"],
  ["some.oci.efi", ".efi"],
  ["app-1.0.0", ""],
  ["app", ""],
])("%s ends with %j", (name, ending) => {
  expect(endingOf(name)).toBe(ending);
});
