/** Whatever a config file holds: a coded error or a config, and nothing else. That it ends at all, the runner's timeout tells. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { isBootwrightError } from "../base/errors.ts";
import { loadYaml, mistakes, projectDir } from "./project.fake.ts";

const settles = async (yaml: string): Promise<void> => {
  try {
    await loadYaml(yaml);
  } catch (error) {
    if (!isBootwrightError(error)) throw error;
  }
};

const VALID = `name: hello
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, files: { /etc/motd: hello }, users: { me: { password: none } }, services: { s: { exec: /bin/s } } }
images: { hello: { kind: uki, cmdline: quiet }, esp: { kind: esp, contains: [hello], size: 64MiB } }
machines: { m: { image: hello, ports: ["2222:22"], disks: [1GiB] } }
profiles: { debug: { images: { hello: { cmdline: debug } } } }
`;

test("the starting point is valid", async () => {
  expect(await mistakes(loadYaml(VALID))).toEqual(["no mistakes"]);
});

test("arbitrary text", async () => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: "binary", maxLength: 300 }), settles), { numRuns: 150 });
}, 60_000);

test("a valid config with pieces replaced", async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ":",
      "*a",
      "&a ",
      "- ",
      "\n",
      "null",
      "!!map ",
      "<<: ",
      "__proto__",
      "{env:X}",
      "append",
    ),
    fc.string({ maxLength: 6 }),
  );
  const edit = fc.record({ at: fc.nat(VALID.length), remove: fc.nat(12), piece });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      let text = VALID;
      for (const { at, remove, piece } of edits) text = text.slice(0, at) + piece + text.slice(at + remove);
      await settles(text);
    }),
    { numRuns: 300 },
  );
}, 60_000);

test("arbitrary data in the place of any value", async () => {
  const paths = [
    "name",
    "kernel",
    "kernels",
    "trees",
    "initramfs",
    "images",
    "machines",
    "profiles",
    "sources",
    "epoch",
  ];
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 4 })), (value) =>
      settles(JSON.stringify(value)),
    ),
    { numRuns: 200 },
  );
}, 60_000);

test("aliases cannot blow up", async () => {
  const levels = Array.from({ length: 30 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(", ")}]`);
  const bomb = ["l0: &l0 [x, x, x]", ...levels].join("\n");
  expect((await mistakes(loadYaml(bomb)))[0]).toBe("CONFIG_LOAD_FAILED");
});

test("nesting and self-reference are refused", async () => {
  await settles("[".repeat(50_000));
  await settles(`a: ${"{a: ".repeat(3000)}`);
  expect((await mistakes(loadYaml("name: x\nimages: &a { b: *a }\n")))[0]).toMatch(/^CONFIG_/);
});

test("a huge file is refused before it is read", async () => {
  expect(await mistakes(loadYaml(`# ${"x".repeat(5 * 1024 * 1024)}\n`))).toEqual([
    "CONFIG_LOAD_FAILED",
    expect.stringContaining("is larger than"),
  ]);
});

test("many values are refused", async () => {
  await settles(`name: [${"1,".repeat(400_000)}]`);
});

test("no key reaches an object's prototype", async () => {
  await loadYaml('{"name":"x","__proto__":{"polluted":true}}').catch(() => {});
  await loadYaml('{"name":"x","profiles":{"a":{"__proto__":{"polluted":true}}}}', { profiles: ["a"] }).catch(() => {});
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test("a directory in the place of the config is a coded error", async () => {
  const dir = projectDir({ "bootwright.yaml/x": "" });
  const { loadConfig } = await import("./load.ts");
  expect((await mistakes(loadConfig({ cwd: dir })))[0]).not.toBe("no mistakes");
});
