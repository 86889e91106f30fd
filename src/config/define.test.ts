/** What must and must not compile: `tsc` checks these, they need not run. */
import { expect, test } from "vitest";
import { defineProject } from "./define.ts";

test("names that refer to something are checked while typing", () => {
  const project = defineProject({
    name: "hello",
    kernels: {
      small: { from: "debian", package: "linux-image-cloud-amd64" },
      full: { from: "debian", package: "linux-image-amd64" },
    },
    trees: { app: { from: [{ dir: "./app" }] } },
    initramfs: {
      main: { init: "busybox", kernel: "small", from: [{ tree: "app" }], compress: { kind: "zstd", level: 19 } },
      // @ts-expect-error there is no tree "ap"
      other: { init: "busybox", from: [{ tree: "ap" }] },
    },
    images: {
      good: { kind: "uki", kernel: "small", initramfs: "main", cmdline: "quiet" },
      bare: { kind: "efi", kernel: "full", initramfs: "none" },
      // @ts-expect-error there is no kernel "smal"
      bad: { kind: "uki", kernel: "smal" },
      esp: { kind: "esp", contains: ["good"] },
    },
    machines: {
      one: { image: "good" },
      // @ts-expect-error there is no image "better"
      two: { image: "better" },
    },
    profiles: { debug: { images: { good: { cmdline: "debug" } }, initramfs: { main: { run: { append: ["/a"] } } } } },
  });
  expect(project.name).toBe("hello");
});

test("lone things are called default", () => {
  defineProject({
    name: "hello",
    kernel: { from: "file", image: "./bzImage" },
    initramfs: { init: "busybox", files: { "/etc/motd": "hello\n", "/dev/console": { device: "c 5 1" } } },
    images: { hello: { kind: "uki", kernel: "default" } },
    machine: { image: "hello" },
  });
  defineProject({
    name: "hello",
    kernel: { from: "file", image: "./bzImage" },
    // @ts-expect-error the only kernel is called "default"
    image: { kind: "uki", kernel: "other" },
  });
});

test("an unknown key does not compile", () => {
  defineProject({
    name: "hello",
    kernel: { from: "file", image: "./bzImage" },
    // @ts-expect-error there is no such key
    images: { odd: { kind: "uki", cmdlin: "quiet" } },
  });
});

test("an unknown image in a partition does not compile", () => {
  defineProject({
    name: "hello",
    kernel: { from: "file", image: "./bzImage" },
    images: {
      hello: { kind: "uki" },
      // @ts-expect-error there is no image "helo"
      esp: { kind: "esp", contains: ["helo"] },
    },
  });
});

test("names of catalogs and keys are checked while typing", () => {
  defineProject({
    name: "hello",
    kernels: {
      good: { from: "catalog", catalog: "kernels", bundle: "generic-6.12" },
      own: { from: "catalog", catalog: "local", bundle: "mine" },
      // @ts-expect-error there is no catalog "kernel"
      bad: { from: "catalog", catalog: "kernel", bundle: "generic-6.12" },
    },
    keys: { catalog: { file: "./keys/catalog" } },
    catalogs: {
      kernels: { url: "./catalog", keys: ["./keys/catalog.pub"], sign: "catalog" },
      // @ts-expect-error there is no key "catalogue"
      others: { url: "./others", keys: ["./keys/catalog.pub"], sign: "catalogue" },
    },
    publish: {
      good: { bundle: "good", to: "catalog:kernels" },
      // @ts-expect-error there is no catalog "kernel"
      bad: { bundle: "good", to: "catalog:kernel" },
    },
  });
});

test("names of publications", () => {
  defineProject({
    name: "named",
    trees: { root: { from: [{ dir: "./root" }] } },
    images: { root: { kind: "tar", tree: "root" } },
    keys: { catalog: { file: "./keys/catalog" } },
    publish: {
      good: { image: "root", to: "./published", sign: "catalog" },
      // @ts-expect-error there is no image "rot"
      bad: { image: "rot", to: "./published" },
      // @ts-expect-error there is no key "catalogue"
      worse: { image: "root", to: "./published", sign: "catalogue" },
    },
  });
});
