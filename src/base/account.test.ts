import { expect, test } from "vitest";
import { withoutAccount } from "./account.ts";

test.each([
  ["https://user:secret@host.example/a@b?c=d@e", "https://host.example/a@b?c=d@e"],
  ["https://secret@host.example/a", "https://host.example/a"],
  ["https://user:se@cret@host.example/a", "https://host.example/a"],
  ["git HTTPS://user:secret@host.example:8443/x.git v1", "git HTTPS://host.example:8443/x.git v1"],
  ["ssh://git@host.example/x.git", "ssh://git@host.example/x.git"],
  ["ssh://git:secret@host.example/x.git", "ssh://git@host.example/x.git"],
  ["git@host.example:x.git", "git@host.example:x.git"],
  ["https://host.example/@scope/a", "https://host.example/@scope/a"],
  ["'https://a:secret@one.example' https://b:secret@two.example/", "'https://one.example' https://two.example/"],
])("%s is written down as %s", (text, expected) => {
  expect(withoutAccount(text)).toBe(expected);
  expect(withoutAccount(expected)).toBe(expected);
});
