/** CycloneDX's own schema, with a validator and the Python that it needs, out of a later Debian. */
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { needProgram } from "./need-program.ts";
import { buildProject, temporaryDir, writeProject } from "./test-session.ts";

const PACKAGES = [
  ...["python3-cyclonedx-lib", "python3-jsonschema", "python3-attr", "python3-referencing", "python3-rpds-py"],
  ...["python3-jsonschema-specifications", "python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib"],
  ...["libc6", "zlib1g", "libexpat1", "libgcc-s1"],
];

const CHECK = `
import json, pathlib, sys
from jsonschema import Draft7Validator
from referencing import Registry, Resource
schemas = [json.loads(one.read_text()) for one in pathlib.Path(sys.argv[1]).glob("*.json")]
registry = Registry().with_resources([(one["$id"], Resource.from_contents(one)) for one in schemas if "$id" in one])
schema = next(one for one in schemas if one.get("$id", "").endswith("/bom-1.6.schema.json"))
for error in Draft7Validator(schema, registry=registry).iter_errors(json.load(open(sys.argv[2]))):
    print("/".join(map(str, error.path)) + ": " + error.message[:200])
`;

/** Gives what is wrong with a file: one line each. */
export async function cycloneDxSchema(): Promise<(file: string) => readonly string[]> {
  const built = await buildProject(
    writeProject(`
name: schema
sources: { debian: { suite: trixie } }
trees: { schema: { from: [{ debian: [${PACKAGES.join(", ")}], unpack: true }] } }
images: { schema: { kind: tar, tree: schema, compress: none } }
`),
  );
  const dir = temporaryDir();
  execFileSync(needProgram("tar", "tar"), ["-xf", built.schema!, "-C", dir, "--no-same-owner"]);
  const libraries = fs.globSync(path.join(dir, "usr/lib/*-linux-gnu"))[0]!;
  const loader = fs.globSync(path.join(libraries, "ld-linux-*.so.*"))[0]!;
  const packages = path.join(dir, "usr/lib/python3/dist-packages");
  const python = [loader, "--library-path", libraries, path.join(dir, "usr/bin/python3.13")];
  return (file) => {
    const args = ["-c", CHECK, path.join(packages, "cyclonedx/schema/_res"), file];
    const { status, stdout, stderr } = spawnSync(python[0]!, [...python.slice(1), ...args], {
      encoding: "utf8",
      env: { PYTHONHOME: path.join(dir, "usr"), PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" },
    });
    if (status !== 0) throw new Error(stderr);
    return stdout.split("\n").filter(Boolean);
  };
}
