import { expect, it } from "vitest";
import { globMatcher } from "./glob.ts";

it.each<[pattern: string, yes: string[], no: string[]]>([
  ["*.pyc", ["a.pyc", "usr/lib/x.pyc"], ["a.py", "a.pyc/b"]],
  ["/usr/share/doc", ["usr/share/doc"], ["usr/share/docs", "opt/usr/share/doc"]],
  ["/usr/share/*", ["usr/share/doc"], ["usr/share", "usr/share/doc/a"]],
  ["/usr/**/*.a", ["usr/lib/x.a", "usr/x.a", "usr/lib/a/b/x.a"], ["x.a", "usr/x.so"]],
  ["/etc/{a,b}.conf", ["etc/a.conf", "etc/b.conf"], ["etc/c.conf"]],
  ["/dev/tty[0-9]", ["dev/tty1"], ["dev/ttyS", "dev/tty10"]],
  ["/b?n", ["bin", "bun"], ["bn", "b/n"]],
  // As in a shell, a leading dot wants to be written.
  ["/root/*", ["root/x"], ["root/.profile"]],
  ["/root/.*", ["root/.profile"], ["root/x"]],
  ["README", ["README", "usr/share/README"], ["readme", "README.md"]],
])("%s", (pattern, yes, no) => {
  const matches = globMatcher([pattern]);
  expect(yes.filter((path) => !matches(path))).toEqual([]);
  expect(no.filter(matches)).toEqual([]);
});

it("any of several is enough, and none matches nothing", () => {
  expect(["a", "b", "c"].filter(globMatcher(["a", "/b"]))).toEqual(["a", "b"]);
  expect(["", "a"].filter(globMatcher([]))).toEqual([]);
});
