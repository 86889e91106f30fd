import { defineCommand } from "../command.ts";

export const inspect = defineCommand({
  args: [{ name: "ref", required: true, complete: "image", summary: "an image's name, a digest, or a file" }],
  flags: {},
  examples: [
    { run: "bootwright inspect hello", says: "sections of an EFI file, entries of an initramfs" },
    { run: "bootwright inspect ./out/hello.efi --json", says: "for programs" },
  ],
  run: async ({ args: [ref = ""], session }) => {
    const api = await import("../../api/inspect.ts");
    return api.inspect(session, { ref });
  },
});
