import { describe, expect, test } from "vitest";
import { formatReference, parseHost, parseLocation, parseReference } from "./reference.ts";

const HEX = "a".repeat(64);

describe("a reference", () => {
  test.each([
    ["r.example.org/a", { host: "r.example.org", repository: "a" }],
    ["r.example.org:5000/a/b:1.2", { host: "r.example.org:5000", repository: "a/b", tag: "1.2" }],
    ["localhost/a:V_1", { host: "localhost", repository: "a", tag: "V_1" }],
    [`docker://r.example.org/a@sha256:${HEX}`, { host: "r.example.org", repository: "a", digest: HEX }],
    [`oci://[::1]:5000/a:1@sha256:${HEX}`, { host: "[::1]:5000", repository: "a", tag: "1", digest: HEX }],
    ["r.example.org/a__b/c-d--e/f.g:x", { host: "r.example.org", repository: "a__b/c-d--e/f.g", tag: "x" }],
  ])("%s", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
    expect(parseReference(formatReference(parseReference(text)))).toMatchObject(expected);
  });

  test.each([
    ["alpine", "names no registry"],
    ["team/alpine:1", "names no registry"],
    ["r.example.org/Team/a", "lower case"],
    ["r.example.org/a:", "is no tag"],
    ["r.example.org/a:-x", "is no tag"],
    [`r.example.org/a:${"x".repeat(129)}`, "is no tag"],
    ["r.example.org/a@sha256:abc", "a digest is expected"],
    [`r.example.org/a@sha512:${HEX}`, "other than SHA-256"],
    ["r.example.org/a//b", "is no name of a repository"],
    ["r.example.org/../b", "is no name of a repository"],
    ["user@r.example.org/b", "is no host name"],
    ["r.example.org/a?x=1", "is no name of a repository"],
    [`r.example.org/${"a/".repeat(127)}aa`, "is no name of a repository"],
  ])("%s is refused", (text, why) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ exit: expect.any(Number) }));
    try {
      parseReference(text);
    } catch (error) {
      expect(`${(error as Error).message} ${(error as { hint?: string }).hint}`).toContain(why);
    }
  });
});

describe("a location", () => {
  test.each([
    ["./layout", { type: "layout", path: "./layout" }],
    ["/a/b.tar", { type: "layout", path: "/a/b.tar" }],
    ["../x.y/z", { type: "layout", path: "../x.y/z" }],
    ["layout/sub", { type: "layout", path: "layout/sub" }],
    ["oci:dir:1.2", { type: "layout", path: "dir", tag: "1.2", archive: false }],
    ["oci:/a/b", { type: "layout", path: "/a/b", archive: false }],
    ["oci-archive:x.tar:t", { type: "layout", path: "x.tar", tag: "t", archive: true }],
    ["r.example.org/a", { type: "registry", reference: { host: "r.example.org", repository: "a" } }],
    ["oci://r.example.org/a", { type: "registry", reference: { host: "r.example.org", repository: "a" } }],
  ])("%s", (text, expected) => {
    expect(parseLocation(text)).toEqual(expected);
  });
});

test("a host is what is before the first slash", () => {
  expect(parseHost("https://r.example.org/")).toBe("r.example.org");
  expect(() => parseHost("r.example.org/a")).toThrow("is no registry's name");
});
