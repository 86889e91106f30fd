import http from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { tempStore } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import type { BuildEvent } from "../base/events.ts";
import { kernelTarball, pinKernel } from "./kernel-org.ts";

const SITE = { releases: "https://kernel.example/linux", snapshots: "https://git.example/t" };

describe("kernelTarball", () => {
  it.each([
    ["6.12.48", "https://kernel.example/linux/v6.x/linux-6.12.48.tar.xz"],
    ["6.12", "https://kernel.example/linux/v6.x/linux-6.12.tar.xz"],
    ["6.12.0", "https://kernel.example/linux/v6.x/linux-6.12.tar.xz"],
    ["7.0.1", "https://kernel.example/linux/v7.x/linux-7.0.1.tar.xz"],
    ["2.6.39", "https://kernel.example/linux/v2.6/linux-2.6.39.tar.xz"],
    ["6.18-rc3", "https://git.example/t/linux-6.18-rc3.tar.gz"],
  ])("%s lies at %s", (version, url) => {
    expect(kernelTarball(version, SITE).url).toBe(url);
  });
});

describe("pinKernel", () => {
  const BYTES = "tarball";
  const { hash } = digestOf(BYTES);

  async function pin(version: string, files: Readonly<Record<string, string>>, more: { sha256?: string } = {}) {
    const server = http.createServer((request, response) => {
      const body = files[request.url!];
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const store = tempStore();
    const notes: string[] = [];
    const emit = (event: BuildEvent) => {
      if (event.type === "note") notes.push(event.text);
    };
    const site = { releases: base, snapshots: `${base}/t` };
    const entry = await pinKernel(version, { store, emit, signal: new AbortController().signal, site, ...more });
    return { entry, notes, has: store.blobs.has({ hash, size: BYTES.length }) };
  }
  const sums = (...lines: string[]) => `-----BEGIN PGP SIGNED MESSAGE-----\n\n${lines.join("\n")}\n`;
  const TARBALL = "/v6.x/linux-6.12.48.tar.xz";
  const SUMS = "/v6.x/sha256sums.asc";

  it("takes a release whose digest the list has", async () => {
    const { entry, has, notes } = await pin("6.12.48", {
      [TARBALL]: BYTES,
      [SUMS]: sums(`${hash}  linux-6.12.48.tar.xz`),
    });
    expect(entry).toEqual({ type: "file", size: 7, sha256: hash });
    expect(has).toBe(true);
    expect(notes.join()).toContain("signature");
  });

  it("takes a release candidate, which no list has", async () => {
    expect((await pin("6.18-rc3", { "/t/linux-6.18-rc3.tar.gz": BYTES })).entry).toMatchObject({ sha256: hash });
  });

  it("refuses bytes that the list does not have", async () => {
    const files = { [TARBALL]: "other", [SUMS]: sums(`${hash}  linux-6.12.48.tar.xz`) };
    await expect(pin("6.12.48", files)).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
      message: expect.stringContaining("sha256sums.asc"),
    });
  });

  it("refuses bytes that the config does not have", async () => {
    await expect(pin("6.12.48", { [TARBALL]: BYTES }, { sha256: "0".repeat(64) })).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
  });

  it("an unknown version is told with its address, and with what there is", async () => {
    const list = sums(...["6.12.46", "6.12.47", "6.12.9", "6.13"].map((version) => `${hash}  linux-${version}.tar.xz`));
    await expect(pin("6.12.480", { [SUMS]: list })).rejects.toMatchObject({
      code: "KERNEL_UNKNOWN",
      message: "there is no Linux 6.12.480: of 6.12 there are 6.12.9, 6.12.46, 6.12.47",
      detail: expect.stringMatching(/looked for http:.*\/v6\.x\/linux-6\.12\.480\.tar\.xz$/),
    });
  });

  it("an unknown version is told, too, where there is no list", async () => {
    await expect(pin("6.12.480", {})).rejects.toMatchObject({ code: "KERNEL_UNKNOWN" });
  });
});
