import { expect, test } from "bootwright/test";

test.use({ machine: "usb", timeout: 400_000 });

test("the stick starts under Secure Boot, with every image opened by its hash", async ({ machine }) => {
  const { text } = machine.console;
  for (const name of ["host", "modules", "firmware"])
    expect(text).toMatch(new RegExp(`verity: ${name} on /dev/vda\\d is opened by its root hash \\(slot a\\)`));
});
