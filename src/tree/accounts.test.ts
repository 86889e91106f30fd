import { describe, expect, it } from "vitest";
import { type Account, mergeAccounts, numberAccounts } from "./accounts.ts";

const account = (name: string, more: Partial<Account> = {}): Account => ({
  name,
  shell: "/bin/sh",
  password: "locked",
  ...more,
});
const none = { passwd: "", group: "", shadow: "" };

describe("numberAccounts", () => {
  const numbers = (accounts: readonly Account[], passwd = "") =>
    numberAccounts(accounts, { passwd }).map(({ name, uid, gid }) => [name, uid, gid]);

  it("counts from 1000, in the order of the config, past what is taken", () => {
    const passwd = "root:x:0:0::/root:/bin/sh\nold:x:1001:1001::/:/bin/sh\n";
    const accounts = [account("a"), account("b", { uid: 1002 }), account("c"), account("root")];
    expect(numbers(accounts, passwd)).toEqual([
      ["a", 1000, 1000],
      ["b", 1002, 1002],
      ["c", 1003, 1003],
      ["root", 0, 0],
    ]);
  });

  it("leaves a user who is there its number", () => {
    expect(numbers([account("www")], "www:x:33:33::/var/www:/bin/false\n")).toEqual([["www", 33, 33]]);
  });

  it("takes a group that is given", () => {
    expect(numbers([account("a", { gid: 50 })])).toEqual([["a", 1000, 50]]);
  });

  it("gives homes", () => {
    const homes = numberAccounts([account("a"), account("root"), account("b", { home: "/srv" })], none);
    expect(homes.map(({ home }) => home)).toEqual(["/home/a", "/root", "/srv"]);
  });
});

describe("mergeAccounts", () => {
  it("replaces a user of the same name in its place, keeps the others, and adds the new", () => {
    const existing = {
      passwd: "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\n",
      group: "root:x:0:\naudio:x:29:\n",
      shadow: "root:*:19000:0:99999:7:::\n",
    };
    const accounts = numberAccounts(
      [account("root", { password: "none" }), account("me", { password: "$6$salt$hash" })],
      existing,
    );
    expect(mergeAccounts(accounts, existing)).toEqual({
      passwd: "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nme:x:1000:1000::/home/me:/bin/sh\n",
      group: "root:x:0:\naudio:x:29:\nme:x:1000:\n",
      shadow: "root::1::::::\nme:$6$salt$hash:1::::::\n",
    });
  });

  it("locks who has no password said", () => {
    const { shadow } = mergeAccounts(numberAccounts([account("a")], none), none);
    expect(shadow).toBe("a:!:1::::::\n");
  });
});
