import { describe, expect, it } from "vitest";
import { modulesDep, selectModules } from "./module-closure.ts";
import type { IndexedModule, ModuleIndex } from "./module-index.ts";

/** Modules by name: "b c" are dependencies; pre, post and firmware as said. */
function index(
  modules: Readonly<Record<string, string | Partial<IndexedModule>>>,
  more: Partial<ModuleIndex> = {},
): ModuleIndex {
  const entries = Object.entries(modules).map(([name, module]) => {
    const own = typeof module === "string" ? { depends: module.split(" ").filter(Boolean) } : module;
    const path = `lib/modules/6.1/kernel/${name}.ko.xz`;
    return [name, { path, depends: [], pre: [], post: [], firmware: [], ...own }];
  });
  return { release: "6.1", modules: Object.fromEntries(entries), builtin: [], aliases: {}, ...more };
}
const select = (from: ModuleIndex, names: string[], optional: string[] = []) =>
  selectModules(from, { names, optional });
const order = (from: ModuleIndex, ...names: string[]) => select(from, names).order;

describe("selectModules", () => {
  it("loads what a module needs before it, each once", () => {
    const from = index({
      virtio_net: "net_failover virtio",
      net_failover: "failover",
      failover: "",
      virtio: "",
      other: "",
    });
    expect(order(from, "virtio_net")).toEqual(["failover", "net_failover", "virtio", "virtio_net"]);
    expect(order(from, "virtio_net", "virtio", "virtio_net")).toHaveLength(4);
  });

  it("takes - and _, paths and suffixes as the same name", () => {
    const from = index({ virtio_net: "" });
    for (const name of ["virtio_net", "virtio-net", "virtio-net.ko.xz", "kernel/drivers/net/virtio_net.ko"])
      expect(order(from, name)).toEqual(["virtio_net"]);
  });

  it("knows modules by their other names", () => {
    expect(order(index({ crc32c_generic: "" }, { aliases: { crc32c: "crc32c_generic" } }), "crc32c")).toEqual([
      "crc32c_generic",
    ]);
  });

  it("puts soft dependencies around, where they exist", () => {
    const from = index({
      ext4: { pre: ["crc32c", "absent"], post: ["late"], depends: ["jbd2"] },
      crc32c: "",
      late: "x",
      x: "",
      jbd2: "",
    });
    expect(order(from, "ext4")).toEqual(["crc32c", "jbd2", "ext4", "x", "late"]);
  });

  it("ends where soft dependencies run in circles", () => {
    const from = index({ a: { pre: ["b"] }, b: { pre: ["a"] }, c: { post: ["c", "a"] } });
    expect(order(from, "a")).toEqual(["b", "a"]);
    expect(order(from, "c")).toEqual(["c", "b", "a"]);
  });

  it("says what is part of the kernel already", () => {
    const from = index({ a: "ext4" }, { builtin: ["ext4", "unix"] });
    expect(select(from, ["a", "unix", "unix"])).toEqual({ order: ["a"], builtin: ["ext4", "unix"], firmware: [] });
  });

  it("collects firmware of all that it takes, sorted, each once", () => {
    const from = index({
      a: { depends: ["b"], firmware: ["z.bin", "x.bin"] },
      b: { firmware: ["x.bin"] },
      c: { firmware: ["no"] },
    });
    expect(select(from, ["a"]).firmware).toEqual(["x.bin", "z.bin"]);
  });

  it("names all unknown modules at once, with suggestions", () => {
    const from = index({ virtio_net: "", e1000e: "" }, { builtin: ["ext4"] });
    expect(() => select(from, ["virtio_nt", "e1000e", "exf4", "zzzzzz"])).toThrow(
      expect.objectContaining({
        code: "MODULE_UNKNOWN",
        message:
          'the kernel 6.1 has no module "virtio_nt" (did you mean "virtio_net"?), "exf4" (did you mean "ext4"?), "zzzzzz"',
      }),
    );
  });

  it("passes over optional ones that are not there", () => {
    expect(select(index({ a: "" }), ["a"], ["virtio_console", "a"]).order).toEqual(["a"]);
  });

  it("a tree that lacks what its module needs is an error", () => {
    expect(() => select(index({ a: "gone" }), ["a"])).toThrow(
      expect.objectContaining({
        code: "MODULE_UNKNOWN",
        message: "module a depends on gone, which the module tree lacks",
      }),
    );
  });

  it("names of JavaScript's own are no modules", () => {
    for (const name of ["constructor", "__proto__", "toString"])
      expect(() => select(index({ a: "" }), [name])).toThrow(expect.objectContaining({ code: "MODULE_UNKNOWN" }));
  });
});

describe("modulesDep", () => {
  it("lists direct and indirect dependencies without the suffix of compression", () => {
    const from = index({ a: "b", b: "c", c: "" });
    expect(modulesDep(from, ["c", "a", "b"])).toBe(
      "kernel/a.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko: kernel/c.ko\nkernel/c.ko:\n",
    );
  });

  it("in an order that loads when read from the end, however they are declared", () => {
    for (const depends of ["b c", "c b"]) {
      const from = index({ a: depends, b: "c", c: "" });
      expect(modulesDep(from, ["a"])).toBe("kernel/a.ko: kernel/b.ko kernel/c.ko\n");
    }
  });

  it("ends for a circle, and leaves out what is built in", () => {
    expect(modulesDep(index({ a: "b builtin", b: "a" }), ["a"])).toBe("kernel/a.ko: kernel/b.ko\n");
  });
});
