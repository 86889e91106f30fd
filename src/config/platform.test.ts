import { expect, test } from "vitest";
import { defineProject } from "./define.ts";
import { loadYaml, mistakes } from "./project.fake.ts";

const HEAD = `name: truthdb
`;

test("repositories of github.com are called by their names", async () => {
  const { config } = await loadYaml(`${HEAD}platform: { repositories: [truthdb/Kernel, truthdb/iso], record: ./record }
environments: { test: {}, prod: { after: test } }
`);
  expect(config.platform?.repositories).toMatchObject({
    kernel: { git: "https://github.com/truthdb/Kernel", trunk: "main", publishes: [] },
    iso: { git: "https://github.com/truthdb/iso" },
  });
  expect(config.environments).toEqual({ test: { approvals: 0 }, prod: { after: "test", approvals: 0 } });
});

test("former keys of a record that has none", async () => {
  const platform =
    "platform: { repositories: { kernel: { git: ./kernel } }, record: ./record, formerKeys: [{ key: ./old.pub, until: 3 }] }";
  expect(await mistakes(loadYaml(`${HEAD}${platform}\n`))).toEqual([
    "CONFIG_INVALID",
    "2:76 platform.formerKeys: needs `key`: a record that was signed stays signed",
  ]);
});

test("an order that goes in a circle, names that are not there, and approvals that nobody can give", async () => {
  const platform = "platform: { repositories: { kernel: { git: ./kernel } }, record: ./record, key: release }\n";
  expect(
    await mistakes(loadYaml(`${HEAD}${platform}environments: { a: { after: b }, b: { after: a }, c: { after: d } }\n`)),
  ).toEqual([
    "CONFIG_INVALID",
    '2:81 platform.key: no key is named "release"; there is no key',
    "3:29 environments.a.after: comes after itself: a → b → a",
    "3:46 environments.b.after: comes after itself: b → a → b",
    '3:63 environments.c.after: no environment is named "d"; did you mean "a"?',
  ]);
  const signed = `keys: { release: { file: ./release } }\n`;
  expect(
    await mistakes(
      loadYaml(`${HEAD}${signed}${platform}environments:
  a: { after: b }
  b: { after: a }
  prod: { approvals: 1 }
`),
    ),
  ).toEqual([
    "CONFIG_INVALID",
    expect.stringMatching(/keys\.release: the record is signed with a key of type ed25519/),
    "5:15 environments.a.after: comes after itself: a → b → a",
    "6:15 environments.b.after: comes after itself: b → a → b",
    "7:22 environments.prod.approvals: needs 1 approvals, and platform.approvers has nobody",
  ]);
});

test("environments need a platform", async () => {
  expect((await mistakes(loadYaml(`${HEAD}environments: { test: {} }\n`)))[1]).toMatch(
    /environments: needs `platform`/,
  );
});

test("names are checked while typing", () => {
  const project = defineProject({
    name: "truthdb",
    keys: { release: { file: "./keys/release", type: "ed25519" } },
    platform: { repositories: ["truthdb/kernel"], record: "./record", key: "release" },
    environments: {
      test: {},
      prod: { after: "test" },
      // @ts-expect-error there is no environment "tets"
      late: { after: "tets" },
    },
  });
  expect(project.name).toBe("truthdb");
});
