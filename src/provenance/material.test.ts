import { expect, test } from "vitest";
import { genericUrl, packageUrl, publicAddress } from "./material.ts";

test.each([
  ["https://user:secret@example.org/a/b.tar.gz?X-Amz-Signature=1#c", "https://example.org/a/b.tar.gz"],
  ["https://example.org/a", "https://example.org/a"],
  ["file:///home/someone/a.tar", "a.tar"],
  ["/home/someone/repository", "repository"],
  ["~/repository", "repository"],
  ["../beside/repository", "repository"],
  ["./within/the project", "within/the project"],
  [".", "."],
  ["git@example.org:team/kernel.git", "ssh://example.org/team/kernel.git"],
  ["ssh://git:secret@example.org:22/team/kernel.git", "ssh://example.org:22/team/kernel.git"],
  ["s3://key:secret@store/bucket/a?versionId=1", "s3://store/bucket/a"],
])("%s is told as %s", (given, told) => {
  expect(publicAddress(given)).toBe(told);
});

test("versions are escaped as package-url asks", () => {
  expect(packageUrl({ type: "deb", name: "libstdc++6", version: "1:12.2.0-14+deb12u1~x", arch: "amd64" })).toBe(
    "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1~x?arch=amd64",
  );
  expect(genericUrl("linux", "6.12.48")).toBe("pkg:generic/linux@6.12.48");
});
