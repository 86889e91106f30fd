import { expect, test } from "bootwright/test";

test.use({ machine: "recovery", timeout: 400_000, waitForReady: false });

test("a key held down at the start leads to the recovery, which knows the slots and needs none of their images", async ({
  machine,
}) => {
  // The second entry of the menu, asked for until a kernel runs: as often as a keyboard says that a key is held down, since
  // the menu listens for a tenth of a second.
  const until = Date.now() + 300_000;
  while (Date.now() < until && !/recovery: |verity: host/.test(machine.console.text)) {
    await machine.type("2");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await machine.console.waitFor(/recovery: bootwright-update rollback/, { timeout: 60_000 });
  const text = machine.console.text;
  expect(text).toMatch(/slot a runs: initos 1\.0, release 1; updates from release 1 on are taken/);
  expect(text).not.toContain("verity:");
});
