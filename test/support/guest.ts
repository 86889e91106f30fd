/** The guest that machine tests boot: BusyBox with the guest agent, and a shell on the serial console. */

export interface GuestFiles {
  readonly kernel: string;
  readonly initrd: string;
  /** The same two in one EFI file, with `console=ttyS0` in its command line. */
  readonly uki: string;
}

export async function guestFiles(): Promise<GuestFiles> {
  throw new Error("test/support/guest.ts does not make a guest yet");
}
