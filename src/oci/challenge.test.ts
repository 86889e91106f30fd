import { expect, test } from "vitest";
import { parseChallenges } from "./challenge.ts";

const read = (header: string | string[] | undefined) =>
  parseChallenges(header).map(({ scheme, words }) => [scheme, Object.fromEntries(words)]);

test.each([
  [undefined, []],
  ["", []],
  ["Basic", [["basic", {}]]],
  ['Basic realm="a \\"b\\", c"', [["basic", { realm: 'a "b", c' }]]],
  [
    'Bearer realm="https://auth.example.org/token",service="r.example.org",scope="repository:a/b:pull,push"',
    [
      [
        "bearer",
        { realm: "https://auth.example.org/token", service: "r.example.org", scope: "repository:a/b:pull,push" },
      ],
    ],
  ],
  ["BEARER Realm=x , error=insufficient_scope", [["bearer", { realm: "x", error: "insufficient_scope" }]]],
  [
    'Negotiate, Basic realm="x", Bearer realm="y"',
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
      ["bearer", { realm: "y" }],
    ],
  ],
  [
    ['Basic realm="x"', 'Bearer realm="y"'],
    [
      ["basic", { realm: "x" }],
      ["bearer", { realm: "y" }],
    ],
  ],
  ['Bearer realm="no end', [["bearer", { realm: '"no' }]]],
  ["=== ,,, ===", []],
])("%j", (header, expected) => {
  if (header === 'Bearer realm="no end') expect(parseChallenges(header)[0]?.scheme).toBe("bearer");
  else expect(read(header as string)).toEqual(expected);
});
