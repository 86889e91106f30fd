import { describe, expect, it } from "vitest";
import { tempStore } from "../../test/support/temp-store.ts";
import { comparePaths } from "../base/bytes.ts";
import { silent } from "../base/events.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { runStages } from "../stage/scheduler.ts";
import { blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { type ComposeOptions, composeTree, type DeclaredFile } from "./compose.ts";

const owner = { uid: 0, gid: 0 };
const content = (text: string, mode = 0o644): DeclaredFile => ({ type: "content", content: text, mode, ...owner });
const file = (store: Store, path: string, text: string, mode = 0o644): TreeEntry => ({
  type: "file",
  path,
  mode,
  ...owner,
  content: store.blobs.put(text),
});
const link = (path: string, target: string): TreeEntry => ({ type: "symlink", path, mode: 0o777, ...owner, target });
const nothing: Omit<ComposeOptions, "name"> = {
  layers: [],
  copies: [],
  files: {},
  remove: [],
  users: [],
  groups: [],
  permissions: {},
};
const user = { name: "me", shell: "/bin/sh", password: "locked" };

async function compose(options: Partial<ComposeOptions>, { store = tempStore(), layers = [] as FileTree[] } = {}) {
  const placed = layers.map((tree, i) => ({
    tree: store.putTree([...tree].sort((a, b) => comparePaths(a.path, b.path))),
    placement: { origin: `layer ${i}`, to: "/", strip: 0, subdir: "" },
  }));
  const stage = composeTree({ name: "tree", ...nothing, layers: placed, ...options });
  const settings = { store, emit: silent, signal: new AbortController().signal, project: "p" };
  const report = await runStages([stage], settings);
  const tree = store.getTree(report.output(stage, "tree") as TreeArtifact);
  const get = (path: string) => tree.find((entry) => entry.path === path);
  const text = (path: string) => {
    const entry = get(path);
    return entry?.type === "file" ? store.readContent(entry.content).toString() : undefined;
  };
  return { paths: tree.map((entry) => entry.path), get, text, key: report.stages[0]!.key };
}

describe("files", () => {
  it("of every kind come out as declared, with the directories they need", async () => {
    const { paths, get, text } = await compose({
      files: {
        "/etc/motd": content("hello\n"),
        "/dev/null": { type: "char", major: 1, minor: 3, mode: 0o666, ...owner },
        "/var/lib/x": { type: "directory", mode: 0o700, uid: 5, gid: 6 },
        "/bin/sh": { type: "symlink", target: "busybox", ...owner },
      },
    });
    expect(paths).toEqual(["", "bin", "bin/sh", "dev", "dev/null", "etc", "etc/motd", "var", "var/lib", "var/lib/x"]);
    expect(text("etc/motd")).toBe("hello\n");
    expect(get("dev/null")).toMatchObject({ type: "char", major: 1, minor: 3, mode: 0o666 });
    expect(get("var/lib/x")).toMatchObject({ mode: 0o700, uid: 5, gid: 6 });
  });

  it("win over layers, and later layers over earlier ones", async () => {
    const store = tempStore();
    const layers = [
      [file(store, "a", "1"), file(store, "b", "1")],
      [file(store, "a", "2"), file(store, "b", "2")],
    ];
    const { text } = await compose({ files: { "/a": content("3") } }, { store, layers });
    expect([text("a"), text("b")]).toEqual(["3", "2"]);
  });

  it("are copied from the host with the mode they have there, or the one that is said", async () => {
    const store = tempStore();
    const copies = [store.putTree([file(store, "", "script", 0o755)])];
    const copy = (mode: number | null): DeclaredFile => ({ type: "copy", layer: 0, mode, ...owner });
    const { get, text } = await compose({ copies, files: { "/a": copy(null), "/b": copy(0o600) } }, { store });
    expect([get("a")?.mode, get("b")?.mode, text("a")]).toEqual([0o755, 0o600, "script"]);
  });

  it("cannot be copied from a directory", async () => {
    const store = tempStore();
    const copies = [store.putTree([file(store, "x", "")])];
    const files: Record<string, DeclaredFile> = { "/a": { type: "copy", layer: 0, mode: null, ...owner } };
    await expect(compose({ copies, files }, { store })).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

it("removes by pattern what layers brought, and not what files add", async () => {
  const store = tempStore();
  const layers = [[file(store, "doc/a", ""), file(store, "x.pyc", ""), file(store, "y", "")]];
  const { paths } = await compose({ remove: ["/doc", "*.pyc"], files: { "/z.pyc": content("") } }, { store, layers });
  expect(paths).toEqual(["", "y", "z.pyc"]);
});

describe("users", () => {
  it("have their lines, their home and their keys", async () => {
    const store = tempStore();
    const copies = [store.putTree([file(store, "", "ssh-ed25519 AAAA me\n")])];
    const layers = [
      [file(store, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), file(store, "etc/group", "root:x:0:\n")],
    ];
    const { get, text } = await compose({ users: [{ ...user, sshKeys: 0 }], copies }, { store, layers });
    expect(text("etc/passwd")).toBe("root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n");
    expect(text("etc/group")).toBe("root:x:0:\nme:x:1000:\n");
    expect(text("etc/shadow")).toBe("me:*:1::::::\n");
    expect(get("etc/shadow")).toMatchObject({ mode: 0o600 });
    expect(get("home/me")).toMatchObject({ type: "directory", mode: 0o700, uid: 1000, gid: 1000 });
    expect(get("home/me/.ssh")).toMatchObject({ type: "directory", mode: 0o700, uid: 1000 });
    expect(get("home/me/.ssh/authorized_keys")).toMatchObject({ mode: 0o600, uid: 1000 });
    expect(text("home/me/.ssh/authorized_keys")).toBe("ssh-ed25519 AAAA me\n");
  });

  it("leave the account files of a distribution the owners that they have", async () => {
    const store = tempStore();
    const secret = (path: string, text: string): TreeEntry => ({ ...file(store, path, text, 0o640), gid: 42 });
    const layers = [
      [
        file(store, "etc/group", "shadow:x:42:\n"),
        secret("etc/gshadow", "shadow:*::\n"),
        secret("etc/shadow", "daemon:*:19000::::::\n"),
      ],
    ];
    const users = [{ ...user, groups: ["shadow"] }];
    const { get, text } = await compose({ users, groups: [{ name: "data" }] }, { store, layers });
    expect(get("etc/shadow")).toMatchObject({ mode: 0o640, gid: 42 });
    expect(get("etc/gshadow")).toMatchObject({ mode: 0o640, gid: 42 });
    expect(text("etc/group")).toBe("shadow:x:42:me\ndata:x:1000:\nme:x:1001:\n");
    expect(text("etc/gshadow")).toBe("shadow:*::me\ndata:!::\nme:!::\n");
  });

  it("keep a home that is there", async () => {
    const store = tempStore();
    const layers: FileTree[] = [[{ type: "directory", path: "srv", mode: 0o755, uid: 7, gid: 7 }]];
    const { get } = await compose({ users: [{ ...user, home: "/srv" }] }, { store, layers });
    expect(get("srv")).toMatchObject({ mode: 0o755, uid: 7 });
  });
});

describe("the host name", () => {
  it("is written, and leads to the machine itself", async () => {
    const { text } = await compose({ hostname: "box" });
    expect(text("etc/hostname")).toBe("box\n");
    expect(text("etc/hosts")).toBe("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tbox\n");
  });

  it("is added to the hosts that there are, once", async () => {
    const hosts = async (there: string) =>
      (await compose({ hostname: "box", files: { "/etc/hosts": content(there) } })).text("etc/hosts");
    expect(await hosts("127.0.0.1 localhost")).toBe("127.0.0.1 localhost\n127.0.1.1\tbox\n");
    expect(await hosts("10.0.0.1 box.lan box\n")).toBe("10.0.0.1 box.lan box\n");
  });
});

describe("permissions", () => {
  it("are set last, over users and files", async () => {
    const { get } = await compose({
      files: { "/etc/key": content("x") },
      users: [user],
      permissions: { "/etc/key": { mode: 0o400, gid: 9 }, "/home/me": { mode: 0o755 } },
    });
    expect(get("etc/key")).toMatchObject({ mode: 0o400, uid: 0, gid: 9 });
    expect(get("home/me")).toMatchObject({ mode: 0o755, uid: 1000 });
  });

  it("of what is not there are an error", async () => {
    await expect(compose({ permissions: { "/gone": { mode: 0o400 } } })).rejects.toMatchObject({
      code: "NAME_UNKNOWN",
      message: "permissions: the tree has no /gone",
    });
  });
});

describe("programs to run", () => {
  const check = (entries: (store: Store) => FileTree, program = "/bin/start") => {
    const store = tempStore();
    return compose({ programs: [program] }, { store, layers: [entries(store)] });
  };

  it.each<[what: string, links: TreeEntry[]]>([
    ["itself", []],
    ["a link beside it", [link("bin/start", "real")]],
    ["an absolute link", [link("bin/start", "/bin/real")]],
    ["a link through ..", [link("bin/start", "../usr/../bin/real")]],
    ["a link in a merged directory", [link("sbin", "bin"), link("bin/start", "../sbin/real")]],
    ["two links", [link("bin/start", "next"), link("bin/next", "./real")]],
  ])("are found: %s", async (_, links) => {
    const program = links.length === 0 ? "/bin/real" : "/bin/start";
    await check((store) => [...links, file(store, "bin/real", "#!/bin/sh\n", 0o755)], program);
  });

  it("that are not there are told with the way to add them", async () => {
    for (const entries of [[], [link("bin/start", "gone")], [link("bin/start", "start")]])
      await expect(check(() => entries)).rejects.toMatchObject({
        code: expect.stringMatching(/^(PATH_MISSING|CONFIG_INVALID)$/),
        message: expect.stringContaining("/bin/start is to be run"),
        hint: expect.stringContaining("/bin/start"),
      });
  });

  it("that cannot be executed are told with the way to make them so", async () => {
    await expect(check((store) => [file(store, "bin/start", "x", 0o644)])).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      hint: expect.stringContaining("executable: true"),
    });
  });
});

describe("firmware", () => {
  const layers = (store: Store): FileTree[] => [
    ["a/one.bin", "a/two.bin.xz", "b/three.bin.zst", "updates/a/four.bin"].map((name) =>
      file(store, `lib/firmware/${name}`, name),
    ),
  ];
  const kept = async (globs: string[], names?: string[]) => {
    const store = tempStore();
    const named = names && blobArtifact(store.blobs.put(JSON.stringify(names)));
    const { paths } = await compose({ firmware: { globs, named } }, { store, layers: layers(store) });
    return paths.filter((path) => /\.(bin|xz|zst)$/.test(path)).map((path) => path.slice("lib/firmware/".length));
  };

  it("is kept where a glob matches its name, without the suffix of compression", async () => {
    expect(await kept(["a/*.bin"])).toEqual(["a/one.bin", "a/two.bin.xz", "updates/a/four.bin"]);
    expect(await kept(["b/**"])).toEqual(["b/three.bin.zst"]);
  });

  it("is kept where a chosen module names it", async () => {
    expect(await kept([], ["b/three.bin", "absent.bin"])).toEqual(["b/three.bin.zst"]);
  });
});

it("the key changes with what is declared, not with where it is declared", async () => {
  const a = await compose({ files: { "/a": content("x") } });
  expect((await compose({ files: { "/a": content("x") }, name: "renamed" })).key).toBe(a.key);
  expect((await compose({ files: { "/a": content("y") } })).key).not.toBe(a.key);
  expect((await compose({ files: { "/a": content("x") }, hostname: "h" })).key).not.toBe(a.key);
});
