/** The guest that machine tests boot: BusyBox with the guest agent, and a shell on the serial console. */
import path from "node:path";
import { buildProject, writeProject } from "./test-session.ts";

export interface GuestFiles {
  readonly kernel: string;
  readonly initrd: string;
  /** The same two in one EFI file, with `console=ttyS0` in its command line. */
  readonly uki: string;
}

const CONFIG = `
name: guest
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox }
images:
  direct: { kind: kernel, cmdline: console=ttyS0 quiet }
  uki: { kind: uki, cmdline: console=ttyS0 quiet }
`;

/** Built by the code under test, out of the host's mirror. */
export async function guestFiles(): Promise<GuestFiles> {
  const files = await buildProject(writeProject(CONFIG));
  return { kernel: path.join(files.direct!, "vmlinuz"), initrd: path.join(files.direct!, "initrd"), uki: files.uki! };
}
