import { defineCommand } from "../command.ts";

export const inspect = defineCommand({
  args: [{ name: "ref", required: true, complete: "image", summary: "an image's name, a digest, or a file" }],
  flags: { size: { type: "boolean", summary: "what takes the space: files, directories, packages" } },
  examples: [
    { run: "bootwright inspect hello", says: "sections of an EFI file, entries of an initramfs" },
    { run: "bootwright inspect tree:root --size", says: "the largest files, directories and packages of a tree" },
    { run: "bootwright inspect ./out/hello.efi --json", says: "for programs" },
  ],
  run: async ({ args: [ref = ""], flags, session }) => {
    if (flags.size) return (await import("../../api/inspect-size.ts")).inspectSize(session, { ref });
    const api = await import("../../api/inspect.ts");
    return api.inspect(session, { ref });
  },
});
