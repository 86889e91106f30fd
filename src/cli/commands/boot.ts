import { BootwrightError } from "../../base/errors.ts";
import { parseSize } from "../../base/size.ts";
import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const boot = defineCommand({
  about: "It builds the image first. With a command after --, it runs that in the guest and exits with its code.",
  args: [{ name: "image", complete: "image", summary: "image or machine to boot (default: the only one)" }],
  rest: "program and arguments to run in the guest",
  flags: {
    memory: { type: "string", value: "SIZE", summary: 'such as "1GiB"' },
    cpus: { type: "integer", value: "N", summary: "number of processors" },
    disk: { type: "list", value: "SIZE|FILE", summary: "add a disk; may be repeated", complete: "file" },
    network: { type: "string", value: "KIND", choices: ["none", "user"], summary: "network of the machine" },
    firmware: { type: "string", value: "KIND", choices: ["uefi", "direct", "microvm"], summary: "how it starts" },
    bus: { type: "string", value: "KIND", choices: ["virtio", "usb"], summary: "how the image is attached" },
    "secure-boot": { type: "boolean", summary: "start with Secure Boot on and the project's keys enrolled" },
    "serial-file": { type: "string", value: "FILE", summary: "write the console here", complete: "file" },
    screenshot: { type: "string", value: "FILE", summary: "save the screen as PNG once it is ready", complete: "file" },
    wait: { type: "boolean", summary: "end as soon as the machine is ready" },
    timeout: { type: "integer", value: "SECONDS", summary: "time to become ready" },
  },
  examples: [
    { run: "bootwright boot", says: "its console on this terminal" },
    { run: "bootwright boot -- uname -r", says: "run a command, pass on its exit code" },
    { run: "bootwright boot iso --bus=usb", says: "from a USB stick" },
    { run: "bootwright boot hello --firmware=direct --wait", says: "without firmware, until it is ready" },
  ],
  run: async ({ args: [image], flags, rest, session, resultOnly }) => {
    if (flags.cpus === 0) throw new BootwrightError("USAGE", "--cpus must be at least 1");
    const api = await import("../../api/boot.ts");
    const { guestTerminal } = await import("../guest-terminal.ts");
    const terminal = guestTerminal({
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      quiet: resultOnly,
    });
    return api.boot(session, {
      command: rest,
      disks: flags.disk,
      wait: flags.wait ?? false,
      terminal,
      ...given({
        image,
        memory: flags.memory === undefined ? undefined : parseSize(flags.memory),
        cpus: flags.cpus,
        network: flags.network,
        firmware: flags.firmware,
        bus: flags.bus,
        secureBoot: flags["secure-boot"],
        serialFile: flags["serial-file"],
        screenshot: flags.screenshot,
        timeout: flags.timeout === undefined ? undefined : flags.timeout * 1000,
      }),
    });
  },
});
