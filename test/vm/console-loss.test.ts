/** A kernel's messages wait for no one: what the host is slow to read is kept for it. */
import { expect, test } from "vitest";
import { booted } from "../support/booted.ts";
import { writeProject } from "../support/test-session.ts";

const CONFIG = `
name: talker
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox }
images: { guest: { kind: uki, cmdline: console=ttyS0 printk.devkmsg=on } }
`;

const MESSAGES = 500;

test("a kernel's messages are all there, though nobody read for seconds", async () => {
  await booted(writeProject(CONFIG), { name: "guest" }, async (machine) => {
    machine.type(`for i in $(seq 1 ${MESSAGES}); do echo message-$i >/dev/kmsg; done; echo all sa''id\n`);
    await machine.console.waitFor("message-3");
    const until = Date.now() + 4000;
    while (Date.now() < until); // Nothing of ours runs meanwhile.
    await machine.console.waitFor("all said", { timeout: 120_000 });
    const seen = [...machine.console.text.matchAll(/\] message-(\d+)\r?$/gm)].map(([, number]) => Number(number));
    expect(seen).toEqual(Array.from({ length: MESSAGES }, (_, i) => i + 1));
  });
});
