import { expect, test } from "vitest";
import { nameConflict, ownNames } from "./name-conflict.ts";
import type { PublishedFile, PublishedState } from "./state.ts";
import type { NewFile, PublishTarget } from "./target.ts";

/** As a registry has it: a container image is the same digest under each name. */
const target = targetWith(({ sha256 }) => `of ${sha256}`);

function targetWith(digestOf: (file: NewFile) => string): PublishTarget {
  return {
    documents: { address: "oci://registry.example.org/app" },
    digestOf,
    movingName: (moving: string) => moving,
    namesOf: ({ immutable }: Pick<PublishedFile, "immutable">) => immutable,
  } as unknown as PublishTarget;
}

const file = (version: string, content: string): NewFile => ({
  ...{ publication: "app", image: "app", kind: "oci", name: `app-${version}.oci.tar`, moving: ["latest"], version },
  ...{ immutable: [`v${version}`, `sha256-${content}`], arch: "multi", kernel: "", size: 1, local: "" },
  sha256: content,
});

function stateOf(files: readonly NewFile[], retired: readonly NewFile[] = []): PublishedState {
  const published = (one: NewFile) => ({ ...one, digest: `of ${one.sha256}`, published: "2026-01-02T03:04:05Z" });
  return {
    ...{ serial: 1, updated: "", previous: "", moving: {}, views: [], signedBy: "" },
    files: files.map(published),
    retired: retired.map(published),
  };
}

const conflict = (state: PublishedState, one: NewFile) => nameConflict(target, state, one);

test("the same image is published under a further version", () => {
  expect(conflict(stateOf([file("1.0.0", "aa")]), file("1.0.0", "aa"))).toMatchObject({ name: "app-1.0.0.oci.tar" });
  expect(conflict(stateOf([file("1.0.0", "aa")]), file("1.0.1", "aa"))).toBeUndefined();
  expect(conflict(stateOf([], [file("1.0.0", "aa")]), file("1.0.1", "aa"))).toBeUndefined();
});

test("a version never means another image, and is never given again", () => {
  expect(() => conflict(stateOf([file("1.0.0", "aa")]), file("1.0.0", "bb"))).toThrow(/v1\.0\.0 already/);
  for (const content of ["aa", "bb"])
    expect(() => conflict(stateOf([], [file("1.0.0", "aa")]), file("1.0.0", content))).toThrow(/taken back/);
});

test("two images that are published together do not share a version's name; one image under two names may", () => {
  const other = { ...file("1.0.0", "bb"), publication: "other", name: "other-1.0.0.oci.tar" };
  const own = (...files: readonly NewFile[]) => ownNames(target, undefined, files);
  expect(() => own(file("1.0.0", "aa"), other)).toThrow(/publish\.app and publish\.other .*v1\.0\.0/);
  const free = [file("1.0.0", "aa"), { ...other, immutable: ["other-1.0.0"] }];
  expect(own(...free)).toEqual(free);
  const same = [file("1.0.0", "aa"), { ...other, sha256: "aa" }];
  expect(own(...same)).toEqual(same);
});

test("of two artifacts with the same file the first keeps the name that is made of it", () => {
  const artifacts = targetWith(({ name, sha256 }) => `of ${name} ${sha256}`);
  const [first, second] = [file("1.0.0", "aa"), file("1.0.1", "aa")];
  const left = { ...second, immutable: ["v1.0.1"] };
  expect(ownNames(artifacts, undefined, [first, second])).toEqual([first, left]);
  for (const state of [stateOf([first]), stateOf([], [first])]) {
    expect(ownNames(artifacts, state, [second])).toEqual([left]);
    expect(nameConflict(artifacts, state, left)).toBeUndefined();
  }
  // Nothing would lead to it for ever.
  const bare = { ...second, immutable: ["sha256-aa"] };
  expect(ownNames(artifacts, stateOf([first]), [bare])).toEqual([bare]);
  expect(() => nameConflict(artifacts, stateOf([first]), bare)).toThrow(/sha256-aa already, as app-1\.0\.0/);
});
