/** Another architecture than the host's: built from its own packages, nothing of it runs on the host, and it boots. */
import { expect, test } from "vitest";
import { prepareMachine } from "../../src/api/machine.ts";
import { testSession, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: arm
arch: aarch64
kernel: { from: debian, package: linux-image-cloud-arm64 }
initramfs: { init: busybox }
images: { arm: { kind: uki, cmdline: console=ttyAMA0 quiet } }
`;

test("an aarch64 UKI boots by UEFI", { timeout: 300_000 }, async () => {
  const dir = writeProject(CONFIG);
  await withProject(dir, {}, async (project) => {
    const prepared = await prepareMachine(project, {});
    await using machine = await prepared.start({ signal: testSession(dir).signal, showConsole: false });
    await machine.ready;
    expect((await machine.exec("uname -m")).stdout).toBe("aarch64\n");
  });
});
