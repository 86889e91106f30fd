import { expect, test } from "vitest";
import type { StoredRelease } from "../release/document.ts";
import { findArtifact } from "./release-sources.ts";

const artifact = (repository: string, arch: string) => ({
  ...{ name: "app", repository, arch, file: `${repository}-${arch}.oci.tar` },
  ...{ version: "1.0.0", size: 1, sha256: "", address: "" },
});

const release = (...artifacts: readonly ReturnType<typeof artifact>[]): StoredRelease => ({
  document: {
    ...{ version: "v1.0.0", platform: "p", created: "", who: "", previous: "" },
    ...{ artifacts, repositories: {}, notes: {} },
  },
  digest: "",
});

test("of several artifacts of one name, that of the architecture is meant", () => {
  const both = release(artifact("web", "x86_64"), artifact("web", "aarch64"));
  expect(findArtifact(both, { name: "app", arch: "aarch64" }).file).toBe("web-aarch64.oci.tar");
  expect(() => findArtifact(both, { name: "app", arch: "riscv64" })).toThrow(/for riscv64/);
});

test("what is of several architectures is of each", () => {
  const several = release(artifact("web", "aarch64"), artifact("api", "multi"));
  expect(findArtifact(several, { name: "app", arch: "x86_64" }).file).toBe("api-multi.oci.tar");
  expect(() => findArtifact(several, { name: "app", arch: "aarch64" })).toThrow(/several/);
});
