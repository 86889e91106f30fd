import { expect, test } from "vitest";
import { checkClock, checkDisk, checkKvm, checkNode, checkSandbox, checkTool, planInstall } from "./doctor-checks.ts";

const debian = { osRelease: 'NAME="Debian"\nID=debian\n', hasApt: true, isRoot: true, hasPasswordlessSudo: false };

test("nothing is missing, nothing to do", () => {
  expect(planInstall([], debian)).toEqual({ kind: "nothing" });
});

test("root installs: the index first, then all packages at once", () => {
  expect(planInstall(["ovmf", "bwrap", "gpgv"], debian)).toEqual({
    kind: "install",
    command: "apt-get update && apt-get install -y --no-install-recommends bubblewrap gpgv ovmf",
    packages: ["bubblewrap", "gpgv", "ovmf"],
    steps: [
      ["apt-get", "update"],
      ["apt-get", "install", "-y", "--no-install-recommends", "bubblewrap", "gpgv", "ovmf"],
    ],
  });
});

test("an ordinary user installs through a sudo that asks nothing, else is told the command", () => {
  const user = { ...debian, osRelease: 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', isRoot: false };
  expect(planInstall(["git"], { ...user, hasPasswordlessSudo: true })).toMatchObject({
    kind: "install",
    steps: [
      ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive", "apt-get", "update"],
      ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends", "git"],
    ],
  });
  expect(planInstall(["git"], user)).toEqual({
    kind: "say",
    command: "sudo apt-get update && sudo apt-get install -y --no-install-recommends git",
  });
});

test("another distribution is told what to look for, and nothing is run", () => {
  expect(planInstall(["ovmf"], { ...debian, osRelease: "ID=fedora\n", hasApt: false })).toEqual({
    kind: "say",
    command: "install what Debian calls: ovmf",
  });
  expect(planInstall(["ovmf"], { ...debian, osRelease: "" }).kind).toBe("say");
});

test("conclusions", () => {
  expect(checkNode("24.0.1").ok).toBe(true);
  expect(checkNode("20.9.0")).toMatchObject({ ok: false, fix: "install Node 24 or newer" });
  expect(checkTool("gpgv", "/usr/bin/gpgv")).toEqual({ name: "gpgv", ok: true, detail: "/usr/bin/gpgv" });
  expect(checkTool("gpgv", undefined)).toMatchObject({ ok: false, fix: "install the package gpgv" });
  expect(checkSandbox({ kind: "works" }).ok).toBe(true);
  expect(checkSandbox({ kind: "missing" }).fix).toContain("bubblewrap");
  expect(checkSandbox({ kind: "fails", reason: "setting up uid map: Permission denied" }).fix).toContain("sysctl");
  expect(checkKvm({ name: "kvm", why: "it ran" })).toEqual({ name: "kvm", ok: true, detail: "it ran" });
  expect(checkKvm({ name: "tcg", why: "no permission for /dev/kvm" })).toMatchObject({
    ok: false,
    optional: true,
    fix: "sudo usermod -aG kvm $USER, then log in again",
  });
  expect(checkDisk({ dir: "/s", free: 5 * 1024 ** 3 })).toEqual({
    name: "disk",
    ok: true,
    detail: "5.0 GiB free for /s",
  });
  expect(checkDisk({ dir: "/s", free: 1000 }).ok).toBe(false);
});

test("a clock before the program was installed, or a decade after, is wrong", () => {
  const installed = Date.UTC(2026, 0, 1);
  const at = (now: number) => checkClock({ now, installed }).ok;
  expect(at(Date.UTC(2026, 5, 1))).toBe(true);
  expect(at(Date.UTC(1970, 0, 1))).toBe(false);
  expect(at(Date.UTC(2040, 0, 1))).toBe(false);
});
