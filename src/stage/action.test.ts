import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../base/digest.ts";
import { type ActionSpec, encodeAction, encodeCommand, type InputFile } from "./action.ts";
import { ActionSchema, CommandSchema, DirectorySchema } from "./gen/remote_execution_pb.ts";

const name = fc.stringMatching(/^[A-Za-z0-9_.é-]{1,6}$/);
const digest = fc.record({ hash: fc.stringMatching(/^[0-9a-f]{64}$/), size: fc.nat({ max: 2 ** 40 }) });
const command = fc.record({
  arguments: fc.array(fc.string(), { maxLength: 4 }),
  environment: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,5}$/), fc.string(), { maxKeys: 4, noNullPrototype: true }),
  workingDirectory: fc.constantFrom("", "work"),
  outputPaths: fc.uniqueArray(name, { maxLength: 4 }),
});

/** Files at the top, and in directories of other names. */
const inputs: fc.Arbitrary<InputFile[]> = fc
  .uniqueArray(fc.tuple(fc.constantFrom("", "d/", "d/e/", "f/"), name), { maxLength: 8, selector: ([a, b]) => a + b })
  .chain((paths) =>
    fc.tuple(
      ...paths.map(([dir, file]) =>
        fc.record({ path: fc.constant(`${dir}x${file}`), digest, executable: fc.boolean() }),
      ),
    ),
  );

const protoDigest = ({ hash, size }: Digest) => ({ hash, sizeBytes: BigInt(size) });
const ordered = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
const pairs = (record: Readonly<Record<string, string>>) =>
  ordered(Object.entries(record).map(([key, value]) => ({ name: key, value })));

const generatedCommand = (spec: ActionSpec["command"]): Uint8Array =>
  toBinary(
    CommandSchema,
    create(CommandSchema, {
      arguments: [...spec.arguments],
      environmentVariables: pairs(spec.environment ?? {}),
      workingDirectory: spec.workingDirectory ?? "",
      outputPaths: [...spec.outputPaths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    }),
  );

function generatedDirectory(files: readonly InputFile[], keep: (bytes: Uint8Array) => Digest): Digest {
  const top = files.filter((file) => !file.path.includes("/"));
  const dirs = new Set(files.filter((file) => file.path.includes("/")).map((file) => file.path.split("/")[0]!));
  const inside = (dir: string) =>
    files.filter((file) => file.path.startsWith(`${dir}/`)).map((f) => ({ ...f, path: f.path.slice(dir.length + 1) }));
  return keep(
    toBinary(
      DirectorySchema,
      create(DirectorySchema, {
        files: ordered(
          top.map((file) => ({
            name: file.path,
            digest: protoDigest(file.digest),
            isExecutable: file.executable ?? false,
          })),
        ),
        directories: ordered(
          [...dirs].map((dir) => ({ name: dir, digest: protoDigest(generatedDirectory(inside(dir), keep)) })),
        ),
      }),
    ),
  );
}

function generatedAction(spec: ActionSpec): Digest {
  const root = generatedDirectory(spec.inputs, digestOf);
  return digestOf(
    toBinary(
      ActionSchema,
      create(ActionSchema, {
        commandDigest: protoDigest(digestOf(generatedCommand(spec.command))),
        inputRootDigest: protoDigest(root),
        platform: { properties: pairs(spec.platform) },
      }),
    ),
  );
}

describe("encodeAction", () => {
  it("writes commands as the generated code does", () => {
    fc.assert(
      fc.property(command, (spec) => {
        expect(Buffer.from(encodeCommand(spec)).toString("hex")).toBe(
          Buffer.from(generatedCommand(spec)).toString("hex"),
        );
      }),
    );
  });

  it("gives the digest that the generated code gives, whatever the order of inputs", () => {
    fc.assert(
      fc.property(command, inputs, (spec, files) => {
        const action = { command: spec, inputs: files, platform: { OSFamily: "linux", ISA: "x86-64" } };
        expect(encodeAction(action).digest).toEqual(generatedAction(action));
        expect(encodeAction({ ...action, inputs: files.toReversed() }).digest).toEqual(generatedAction(action));
      }),
    );
  });

  it("sorts names by their bytes, also where UTF-16 orders otherwise", () => {
    const one = digestOf("x");
    const action: ActionSpec = {
      command: {
        arguments: ["a"],
        outputPaths: ["\u{1f600}", "\uff5e"],
        environment: { "\u{1f600}": "1", "\uff5e": "2" },
      },
      inputs: [
        { path: "\u{1f600}", digest: one },
        { path: "\uff5e", digest: one },
      ],
      platform: {},
    };
    expect(encodeAction(action).digest).toEqual(generatedAction(action));
  });

  it("gives every message that a remote worker needs", () => {
    const { messages, digest: key } = encodeAction({
      command: { arguments: ["true"], outputPaths: [] },
      inputs: [
        { path: "a/b/file", digest: digestOf("1") },
        { path: "a/file", digest: digestOf("2") },
      ],
      platform: {},
    });
    // Command, root, a, a/b, Action.
    expect(messages).toHaveLength(5);
    expect(digestOf(messages.at(-1)!)).toEqual(key);
  });

  it("keeps its digests for good", () => {
    const action: ActionSpec = {
      command: {
        arguments: ["bootwright-stage", "example", "1"],
        environment: { B: "2", A: "1" },
        outputPaths: ["outputs/file"],
      },
      inputs: [
        { path: "params.json", digest: digestOf("{}") },
        { path: "inputs/tool", digest: digestOf("tool"), executable: true },
      ],
      platform: { OSFamily: "linux" },
    };
    expect(encodeAction(action).digest).toEqual(GOLDEN);
    expect(encodeAction({ command: { arguments: [], outputPaths: [] }, inputs: [], platform: {} }).digest).toEqual(
      EMPTY_GOLDEN,
    );
  });
});

const GOLDEN = { hash: "d657e02f3daf99997f09af2c952ce5a48542b2dc1dd293d75bdd937d2d9a936b", size: 162 };
const EMPTY_GOLDEN = { hash: "165eaa8dcddd94aeede6760d6b0f668025987abf8b688157ae0b33f830ec3b75", size: 138 };
