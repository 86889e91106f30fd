import { describe, expect, it } from "vitest";
import { type Account, type AccountFiles, type Group, mergeAccounts } from "./accounts.ts";

const none = { passwd: "", group: "", shadow: "" };
const DEBIAN = {
  passwd: "root:x:0:0:root:/root:/bin/bash\ngames:x:5:60:games:/usr/games:/usr/sbin/nologin\n",
  group: "root:x:0:\naudio:x:29:pulse\ngames:x:60:\nsudo:x:27:\n",
  shadow: "root:*:19000:0:99999:7:::\ngames:*:19000:0:99999:7:::\n",
  gshadow: "root:*::\naudio:*::pulse\ngames:*::\nsudo:*::\n",
};

const merge = (users: readonly Account[], existing: AccountFiles = none, groups: readonly Group[] = []) =>
  mergeAccounts({ users, groups }, existing);

describe("numbers", () => {
  const numbers = (users: readonly Account[], existing: Partial<AccountFiles> = {}) =>
    merge(users, { ...none, ...existing }).accounts.map(({ name, uid, gid }) => [name, uid, gid]);

  it("count from 1000, in the order of the config, past what is taken", () => {
    const passwd = "root:x:0:0::/root:/bin/sh\nold:x:1001:1001::/:/bin/sh\n";
    expect(numbers([{ name: "a" }, { name: "b", uid: 1002 }, { name: "c" }, { name: "root" }], { passwd })).toEqual([
      ["a", 1000, 1000],
      ["b", 1002, 1002],
      ["c", 1003, 1003],
      ["root", 0, 0],
    ]);
  });

  it("stay what they are for a user who is there", () => {
    expect(numbers([{ name: "games" }], DEBIAN)).toEqual([["games", 5, 60]]);
  });

  it("leave a group's number alone that another group has", () => {
    expect(numbers([{ name: "a" }], { group: "staff:x:1000:\n" })).toEqual([["a", 1000, 1001]]);
    expect(numbers([{ name: "a", uid: 29 }], DEBIAN)).toEqual([["a", 29, 1000]]);
  });

  it("take a group that is given, and make it when it is not there", () => {
    expect(merge([{ name: "a", gid: 50 }])).toMatchObject({
      accounts: [{ uid: 1000, gid: 50 }],
      files: { group: "a:x:50:\n" },
    });
    expect(merge([{ name: "a", gid: 29 }], DEBIAN).files.group).toBe(DEBIAN.group);
  });
});

describe("files", () => {
  it("keep of an account what the project does not say", () => {
    const { files } = merge([{ name: "root", password: "none" }], DEBIAN);
    expect(files).toEqual({ ...DEBIAN, shadow: DEBIAN.shadow.replace("root:*:", "root::") });
    expect(merge([{ name: "games" }], DEBIAN).files).toEqual(DEBIAN);
    expect(merge([{ name: "root", shell: "/bin/zsh" }], DEBIAN).files.passwd).toContain(
      "root:x:0:0:root:/root:/bin/zsh\n",
    );
  });

  it("get what is new at their end", () => {
    const { files, accounts } = merge([{ name: "me", password: "$6$salt$hash" }], DEBIAN);
    expect(accounts).toEqual([{ name: "me", uid: 1000, gid: 1000, home: "/home/me" }]);
    expect(files).toEqual({
      passwd: `${DEBIAN.passwd}me:x:1000:1000::/home/me:/bin/sh\n`,
      group: `${DEBIAN.group}me:x:1000:\n`,
      shadow: `${DEBIAN.shadow}me:$6$salt$hash:1::::::\n`,
      gshadow: `${DEBIAN.gshadow}me:!::\n`,
    });
  });

  it("lock who has no password said, but not who has a key", () => {
    expect(merge([{ name: "a" }, { name: "b", keys: true }, { name: "c", password: "locked" }]).files.shadow).toBe(
      "a:!:1::::::\nb:*:1::::::\nc:!:1::::::\n",
    );
  });

  it("get members, once each, and in gshadow where there is one", () => {
    const { files } = merge(
      [
        { name: "me", groups: ["sudo", "audio"] },
        { name: "pulse", groups: ["audio"] },
      ],
      DEBIAN,
    );
    expect(files.group).toContain("audio:x:29:pulse,me\n");
    expect(files.group).toContain("sudo:x:27:me\n");
    expect(files.gshadow).toContain("audio:*::pulse,me\n");
    expect(merge([{ name: "me" }]).files.gshadow).toBeUndefined();
  });

  it("get groups of their own", () => {
    const { files } = merge([{ name: "me", groups: ["wheel"] }], none, [{ name: "data", gid: 70 }, { name: "wheel" }]);
    expect(files.group).toBe("data:x:70:\nwheel:x:1000:me\nme:x:1001:\n");
  });

  it("say which group is not there", () => {
    expect(() => merge([{ name: "me", groups: ["sudoo"] }], DEBIAN)).toThrow(
      /user me: the tree has no group sudoo.*sudo/,
    );
  });
});
