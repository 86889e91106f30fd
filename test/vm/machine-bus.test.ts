/** How an image is attached to a machine, and when that is no question. */
import { beforeAll, expect, test } from "vitest";
import { type MachineChoice, prepareMachine } from "../../src/api/machine.ts";
import { LOCAL_CONFIG, localProject } from "../support/local-project.ts";
import { withProject } from "../support/test-session.ts";

let dir: string;
beforeAll(async () => {
  const machines = "machines:\n  stick: { image: uki, bus: usb }\n  bare: { image: uki, bus: usb, firmware: direct }\n";
  dir = await localProject({ "bootwright.yaml": `${LOCAL_CONFIG}${machines}` });
});

const bootOf = (choice: MachineChoice) =>
  withProject(dir, {}, async (project) => (await prepareMachine(project, choice)).spec.boot);

test("a machine's bus is that of its medium", async () => {
  expect(await bootOf({ name: "stick" })).toMatchObject({ kind: "uefi", medium: { kind: "image", bus: "usb" } });
  expect(await bootOf({ name: "stick", bus: "virtio" })).toMatchObject({ medium: { bus: "virtio" } });
});

test("a machine with a bus boots its kernel directly when that is asked for", async () => {
  expect(await bootOf({ name: "stick", firmware: "direct" })).toMatchObject({ kind: "direct" });
});

test("a bus without a medium is refused where somebody asked for both", async () => {
  const refused = { code: "UNSUPPORTED", message: expect.stringContaining("no medium to attach") };
  await expect(bootOf({ name: "stick", firmware: "direct", bus: "usb" })).rejects.toMatchObject(refused);
  await expect(bootOf({ name: "bare" })).rejects.toMatchObject(refused);
});
