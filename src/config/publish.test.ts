import { expect, test } from "vitest";
import { loadYaml, mistakes } from "./project.fake.ts";

const project = (publish: string, { version = 'version: "1.0.0"' } = {}): string => `name: tiny
${version}
kernel: { from: file, image: ./vmlinuz }
trees: { root: { from: [{ dir: ./root }] } }
images: { root: { kind: tar, tree: root }, boot: { kind: uki } }
keys: { catalog: { file: ./keys/catalog }, db: { file: ./keys/db } }
catalogs: { kernels: { url: ./kernels, keys: [./keys/catalog.pub] } }
publish: { ${publish} }
`;

test.each([
  "one: { image: root, to: ./published }",
  'one: { image: boot, to: "s3://releases/boot", name: "vmlinuz-{kernel.release}.efi", index: [kernels.txt], sign: catalog }',
  'one: { image: root, to: "oci://registry.example.org:5000/team/root", immutable: ["{version}"], moving: [beta] }',
  'one: { image: root, to: "github:owner/repository", attest: { key: db } }, two: { image: boot, to: "github:owner/repository" }',
  'one: { bundle: default, to: "catalog:kernels" }, two: { image: root, to: "file:///srv/published", keep: 1 }',
])("%s", async (publish) => {
  expect(Object.keys((await loadYaml(project(publish))).config.publish)).toContain("one");
});

test.each([
  ["one: { image: rot, to: ./published }", 'did you mean "root"'],
  ["one: { image: root, to: published }", 'expected "oci://HOST/NAME"'],
  ['one: { image: root, to: ./published, name: "root-{versoin}.tar" }', 'did you mean "version"'],
  ['one: { image: root, to: ./published, name: "{kernel.release}.tar" }', "has no kernel"],
  ["one: { image: root, to: ./published, sign: db }", 'the key "db" is not of type ed25519'],
  ["one: { image: root, to: ./published, sign: catalgo }", 'did you mean "catalog"'],
  ["one: { image: root, to: ./published, immutable: [x] }", "tags are a registry's"],
  ["one: { image: root, to: ./published, keep: 0 }", "expected at least 1"],
  ["one: { image: root, to: ./published, index: [kernel.txt] }", 'did you mean "kernels.txt"'],
  ["one: { image: root, to: ./x, sign: catalog }, two: { image: boot, to: ./x }", "one list, and one key"],
  ['one: { image: root, to: "oci://h/n", index: [SHA256SUMS] }', "in a directory or a bucket only"],
  ['one: { image: root, to: "oci://h/n" }, two: { image: boot, to: "oci://h/n" }', "tags mean one thing"],
  ['one: { image: root, to: "github:o/r", moving: [beta] }', "GitHub has one moving name"],
])("%s", async (publish, said) => {
  const [code, ...found] = await mistakes(loadYaml(project(publish)));
  expect(code).toBe("CONFIG_INVALID");
  expect(found.join("\n")).toMatch(/^8:/m);
  expect(found.join("\n")).toContain(said);
});

test("a project without a version", async () => {
  const found = async (publish: string) => (await mistakes(loadYaml(project(publish, { version: "" })))).join("\n");
  expect(await found("one: { image: root, to: ./published }")).toBe("no mistakes");
  expect(await found('one: { image: root, to: "github:o/r" }')).toContain("a release has a version");
  expect(await found('one: { image: root, to: ./published, name: "root-{version}.tar" }')).toContain("no version");
});
