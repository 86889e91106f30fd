import { execFile } from "node:child_process";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, test } from "bootwright/test";

test.use({ timeout: 600_000 });

test("from its disk: all units run, and ssh takes the key", { machine: "server" }, async ({ machine }) => {
  await machine.ready;
  const server = ssh(process.env.SSH_PORT ?? "2222");
  expect(await server("systemctl is-system-running --wait; true")).toBe("running");
  expect(await server("findmnt -no FSTYPE,OPTIONS / | tr -s ' '")).toMatch(/^ext4 rw/);
  expect(await server("id -nG; hostname; getent hosts debian-server")).toMatch(
    /^admin systemd-journal operators\ndebian-server\n127\.0\.1\.1/,
  );
  // Nothing that belongs to one machine was in the image: it has been made now.
  expect(await server("cat /etc/machine-id")).toMatch(/^[0-9a-f]{32}$/);
  expect(await server("ls /etc/ssh/ssh_host_*_key | wc -l")).toBe("3");
});

test("from its ISO: the same root, changes in memory", { machine: "live" }, async ({ machine }) => {
  await machine.ready;
  const server = ssh(process.env.SSH_PORT_LIVE ?? "2223");
  expect(await server("systemctl is-system-running --wait; true")).toBe("running");
  expect(await server("findmnt -no FSTYPE /; findmnt -no FSTYPE /run/bootwright/image")).toBe("overlay\nerofs");
  expect(await server("echo kept >~/note; cat ~/note; ls /run/bootwright/medium")).toMatch(/^kept\n.*payload/s);
});

/** As a person would, with the key beside this file. A machine that has just made its host keys is one that nobody knows yet. */
function ssh(port: string): (command: string) => Promise<string> {
  const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=60", "LogLevel=ERROR"];
  const words = ["-i", path.join(import.meta.dirname, "admin"), "-p", port, ...options.map((option) => `-o${option}`)];
  const run = async (command: string): Promise<string> => {
    const { stdout } = await promisify(execFile)("ssh", [...words, "admin@127.0.0.1", command], { timeout: 300_000 });
    return stdout.trim();
  };
  return async (command) => {
    // The login prompt comes before the host keys are made and sshd listens.
    for (let tries = 60; ; tries--) {
      try {
        return await run(command);
      } catch (error) {
        if (tries === 0 || !/reset by peer|refused|closed by remote/.test(String(error))) throw error;
        await setTimeout(2000);
      }
    }
  };
}
