import { defineCommand } from "../command.ts";

export const diff = defineCommand({
  about: "It exits 10 when there are differences.",
  args: [
    { name: "a", required: true, complete: "image", summary: "an image's name, a digest, or a file" },
    { name: "b", required: true, complete: "image", summary: "what to compare it with" },
  ],
  flags: {},
  examples: [
    { run: "bootwright diff old.efi out/hello.efi", says: "section by section, file by file" },
    { run: "bootwright diff hello hello-debug", says: "two images of the project" },
  ],
  run: async ({ args: [a = "", b = ""], session }) => {
    const api = await import("../../api/diff.ts");
    return api.diff(session, { a, b });
  },
});
