import { expect, test } from "bootwright/test";

test("greets on the console and runs a command", async ({ machine }) => {
  await machine.console.waitFor(/hello from Bootwright/);
  const release = await machine.exec("uname -r");
  expect(release.exit).toBe(0);
  expect(release.stdout).toMatch(/^\d+\.\d+\.\d+-.*cloud-amd64\n$/);
});

test("starts without firmware", { firmware: "direct" }, async ({ machine }) => {
  const greeting = await machine.exec("cat /etc/motd");
  expect(greeting.stdout).toBe("hello from Bootwright\n");
});
