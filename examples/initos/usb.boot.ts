import { expect, test } from "bootwright/test";

test.use({ machine: "usb", timeout: 400_000 });

test("the stick starts at a USB port under Secure Boot, with every image opened by its hash", async ({ machine }) => {
  const { text } = machine.console;
  for (const name of ["host", "modules", "firmware"])
    expect(text).toMatch(new RegExp(`verity: ${name} on /dev/sda\\d is opened by its root hash \\(slot a\\)`));
});
