import { expect, test } from "vitest";
import type { FoundFile } from "../publish/read.ts";
import { chooseFiles } from "./release-artifacts.ts";

const file = (publication: string, arch: string, version: string): FoundFile => ({
  ...{ publication, arch, version, image: publication, kind: "oci", name: `${publication}-${version}-${arch}` },
  ...{ immutable: [], moving: [], kernel: "", size: 1, sha256: "", digest: "", published: "", address: "" },
});
const chosen = (version: string, ...files: readonly FoundFile[]) => chooseFiles(files, version).map(({ name }) => name);

test("of each publication and architecture what has the version, else the newest", () => {
  const files = [
    ...[file("kernel", "x86_64", "1.1.0"), file("kernel", "aarch64", "1.0.0"), file("kernel", "x86_64", "1.0.0")],
    ...[file("iso", "x86_64", "0.9.0"), file("iso", "x86_64", "0.8.0")],
  ];
  expect(chosen("v1.0.0", ...files)).toEqual(["kernel-1.0.0-x86_64", "kernel-1.0.0-aarch64", "iso-0.9.0-x86_64"]);
  expect(chosen("v1.1.0", ...files)).toEqual(["kernel-1.1.0-x86_64", "kernel-1.0.0-aarch64", "iso-0.9.0-x86_64"]);
});

test("an image that became one of several architectures, or is none any more, is one artifact", () => {
  const files = [file("app", "aarch64", "3.0.0"), file("app", "multi", "2.0.0"), file("app", "x86_64", "1.0.0")];
  expect(chosen("v3.0.0", ...files)).toEqual(["app-3.0.0-aarch64", "app-1.0.0-x86_64"]);
  expect(chosen("v2.0.0", ...files)).toEqual(["app-2.0.0-multi"]);
  expect(chosen("v2.1.0", ...files.slice(1))).toEqual(["app-2.0.0-multi"]);
});
