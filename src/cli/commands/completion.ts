import { defineCommand } from "../command.ts";

export const completion = defineCommand({
  args: [{ name: "shell", required: true, choices: ["bash", "zsh", "fish"], summary: "which shell" }],
  flags: {},
  examples: [
    { run: 'eval "$(bootwright completion bash)"', says: "for this bash" },
    { run: "bootwright completion zsh > ~/.zfunc/_bootwright", says: "for zsh, where fpath has ~/.zfunc" },
    { run: "bootwright completion fish > ~/.config/fish/completions/bootwright.fish", says: "for fish" },
  ],
  run: async ({ args: [shell = "bash"] }) => {
    const { completionScript } = await import("../completion.ts");
    const text = await completionScript(shell as "bash" | "zsh" | "fish");
    return { data: { script: text }, text, quiet: text };
  },
});
