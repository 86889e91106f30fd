/** What the README promises: init, build, boot, in an empty directory somewhere, with the program out of node_modules/.bin. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type CliOptions, PROGRAM, runCli } from "../support/cli.ts";
import { temporaryDir } from "../support/test-session.ts";

test.each([
  ["hello", "bootwright.config.ts"],
  ["yaml", "bootwright.yaml"],
])("init --template %s, build, boot, test", async (template, config) => {
  const home = temporaryDir();
  const bin = path.join(home, "node_modules/.bin/bootwright");
  fs.mkdirSync(path.dirname(bin), { recursive: true });
  fs.symlinkSync(PROGRAM, bin);
  const cli = (cwd: string, ...args: string[]) => runCli(args, { cwd, program: bin } satisfies CliOptions);

  const made = await cli(home, "init", "my-os", "--template", template);
  expect(made).toMatchObject({
    exit: 0,
    stdout: expect.stringContaining("cd my-os\n  bootwright build\n  bootwright boot\n"),
  });
  const dir = path.join(home, "my-os");
  expect(fs.readdirSync(dir).sort()).toEqual([".gitignore", config, "hello.sh"].sort());
  const again = await cli(home, "init", "my-os");
  expect(again).toMatchObject({ exit: 2, stderr: expect.stringContaining("EXISTS") });

  const built = await cli(dir, "build");
  expect(built).toMatchObject({
    exit: 0,
    stdout: expect.stringMatching(/^out\/my-os\.efi {2}/),
    stderr: expect.stringMatching(/next: bootwright boot my-os\n$/),
  });
  expect(fs.readdirSync(dir).sort()).toEqual([".gitignore", "bootwright.lock", config, "hello.sh", "out"].sort());

  const booted = await cli(dir, "boot", "--wait", "--firmware=direct");
  expect(booted.exit, booted.stderr).toBe(0);
  expect(booted.stdout).toMatch(/hello from Linux \d+\./);
  expect(booted.stdout).toMatch(/my-os: booted in [\d.]+ s \(direct, (tcg|kvm)/);

  const test = 'import { expect, test } from "bootwright/test";\n';
  fs.writeFileSync(
    path.join(dir, "my.boot.ts"),
    `${test}test("motd", { firmware: "direct" }, async ({ machine }) => {
       expect((await machine.exec("cat /etc/motd")).stdout as string).toBe("welcome to my-os\\n");
     });`,
  );
  const tested = await cli(dir, "test");
  expect(tested.exit, tested.stdout).toBe(0);
  expect(tested.stdout).toMatch(/✓ my\.boot\.ts › motd/);
});
