import fs from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { requireForeignPrograms } from "./foreign-programs.ts";

/** As binfmt_misc tells of an interpreter. */
function host(entry?: string) {
  const directory = tempDir();
  if (entry !== undefined) fs.writeFileSync(path.join(directory, "qemu-aarch64"), entry);
  return { own: "amd64", directory } as const;
}

const entry = (state: string, flags: string) =>
  `${state}\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: ${flags}\noffset 0\nmagic 7f454c46\n`;

it("takes a machine's own programs, and those that the kernel has an open interpreter for", () => {
  requireForeignPrograms("amd64", host());
  requireForeignPrograms("arm64", host(entry("enabled", "POCF")));
});

it("says what is missing, and the two ways out", () => {
  const fails = (text: string | undefined, message: RegExp) =>
    expect(() => requireForeignPrograms("arm64", host(text))).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED",
        exit: 3,
        message: expect.stringMatching(message),
        hint: expect.stringMatching(/qemu-user-static.*unpack: true/),
      }),
    );
  fails(undefined, /this amd64 machine cannot run arm64 programs/);
  fails(entry("disabled", "POCF"), /qemu-aarch64 is turned off/);
  fails(entry("enabled", "PC"), /not held open \(flag F\)/);
});
