/** A machine with an image of a test's project, for the length of a test. */

import path from "node:path";
import { type MachineChoice, type PreparedMachine, prepareMachine } from "../../src/api/machine.ts";
import { type Machine, type MachineSpec, startMachine } from "../../src/vm/index.ts";
import { sharedStore, type TestSessionOptions, withProject } from "./test-session.ts";

/** Builds, boots and waits until the guest is ready; the machine is gone afterwards. */
export function booted(
  dir: string,
  { session = {}, ...choice }: MachineChoice & { session?: TestSessionOptions },
  body: (machine: Machine, prepared: PreparedMachine) => Promise<void>,
): Promise<void> {
  return withProject(dir, session, async (project) => {
    const prepared = await prepareMachine(project, choice);
    await using machine = await prepared.start({ signal: new AbortController().signal, showConsole: false });
    await machine.ready;
    await body(machine, prepared);
  });
}

/** A machine that starts from files as they are, not from a project. */
export const bootFiles = (
  boot: MachineSpec["boot"],
  { signal, ...spec }: Partial<MachineSpec> & { readonly signal?: AbortSignal } = {},
): Promise<Machine> =>
  startMachine(
    { name: "test", boot, ...spec },
    { accelerator: { cacheFile: path.join(sharedStore(), "accelerator.json") }, ...(signal && { signal }) },
  );

/** What a command prints in the guest; throws when it fails there. */
export async function guestOutput(machine: Machine, command: string): Promise<string> {
  const { exit, stdout, stderr } = await machine.exec(command);
  if (exit !== 0) throw new Error(`${command}: exit code ${exit}\n${stdout}${stderr}`);
  return stdout;
}
