import { expect, test } from "vitest";
import { nameConflict } from "./name-conflict.ts";
import type { PublishedFile, PublishedState } from "./state.ts";
import type { NewFile, PublishTarget } from "./target.ts";

/** As a registry has it: a container image is the same digest under each name. */
const target = {
  documents: { address: "oci://registry.example.org/app" },
  digestOf: ({ sha256 }: NewFile) => `of ${sha256}`,
  movingName: (moving: string) => moving,
  namesOf: ({ immutable }: Pick<PublishedFile, "immutable">) => immutable,
} as unknown as PublishTarget;

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
