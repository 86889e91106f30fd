import { expect, test } from "bootwright/test";

test.use({ machine: "recovery", timeout: 400_000, waitForReady: false });

test("a key held down at the start leads to the recovery, which knows the slots and needs none of their images", async ({
  machine,
}) => {
  // The second entry of the menu, asked for until a kernel runs.
  for (let tries = 0; tries < 1200 && !/recovery: |verity: host/.test(machine.console.text); tries++) {
    await machine.type("2");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await machine.console.waitFor(/recovery: bootwright-update rollback/, { timeout: 60_000 });
  const text = machine.console.text;
  expect(text).toMatch(/slot a runs: initos 1\.0, release 1; updates from release 1 on are taken/);
  expect(text).not.toContain("verity:");
});
