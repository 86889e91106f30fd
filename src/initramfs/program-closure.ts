/** The stage that takes a program out of its packages with the libraries that it needs, and nothing else. */
import { BootwrightError } from "../base/errors.ts";
import { readElf } from "../formats/elf.ts";
import { readElfDynamic } from "../formats/elf-dynamic.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { TreeBuilder } from "../formats/tree-builder.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";

export interface ProgramClosureOptions {
  readonly name: string;
  /** A root made of packages: a toolroot. */
  readonly root: TreeInput;
  /** "/usr/sbin/veritysetup". */
  readonly programs: readonly string[];
}

/** Throws PATH_MISSING for a program or library that the root does not have. */
export function programClosure({
  name,
  root,
  programs,
}: ProgramClosureOptions): Stage<{ root: TreeInput }, { tree: TreeArtifact }> {
  return defineStage<{ root: TreeInput }, { tree: TreeArtifact }>({
    name,
    kind: "program-closure",
    version: 1,
    inputs: { root },
    params: { programs },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const files = new FilesOf(store.getTree(inputs.root));
      const builder = new TreeBuilder();
      const taken = new Set<string>();
      const take = (path: string): void => {
        const found = files.resolve(path);
        if (found === undefined)
          throw new BootwrightError("PATH_MISSING", `the packages of ${programs.join(", ")} hold no ${path}`);
        // The name that is asked for, and the file that it leads to.
        builder.add({ ...found, path: path.replace(/^\/+/, ""), mode: 0o755 }, { origin: name });
        if (taken.has(found.path)) return;
        taken.add(found.path);
        for (const needed of libraries(store, found)) take(needed.startsWith("/") ? needed : files.library(needed));
      };
      for (const program of programs) take(program);
      return { tree: store.putTree(builder.build()) };
    },
  });
}

/** Interpreter by path, libraries by name. */
function libraries(store: Store, file: TreeEntry & { type: "file" }): readonly string[] {
  const { interpreter, needed } = readElfDynamic(readElf(store.readContent(file.content), `/${file.path}`));
  return [...(interpreter === undefined ? [] : [interpreter]), ...needed];
}

/** Where a Debian library may lie, whatever the architecture. */
const LIBRARY = /^(usr\/)?lib(64)?(\/[a-z0-9_]+-linux-gnu)?\/[^/]+$/;

class FilesOf {
  readonly #byPath: ReadonlyMap<string, TreeEntry>;
  readonly #libraries = new Map<string, string>();

  constructor(tree: FileTree) {
    this.#byPath = new Map(tree.map((entry) => [entry.path, entry]));
    for (const { path, type } of tree)
      if ((type === "file" || type === "symlink") && LIBRARY.test(path))
        this.#libraries.set(path.slice(path.lastIndexOf("/") + 1), path);
  }

  library(name: string): string {
    return this.#libraries.get(name) ?? name;
  }

  /** The file behind symbolic links, in the directories and at the end. */
  resolve(path: string, depth = 0): (TreeEntry & { type: "file" }) | undefined {
    if (depth > 40) return undefined;
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    const done: string[] = [];
    for (const [i, part] of parts.entries()) {
      if (part === "..") {
        done.pop();
        continue;
      }
      done.push(part);
      const entry = this.#byPath.get(done.join("/"));
      if (entry?.type !== "symlink") continue;
      const base = entry.target.startsWith("/") ? [] : done.slice(0, -1);
      return this.resolve([...base, entry.target, ...parts.slice(i + 1)].join("/"), depth + 1);
    }
    const entry = this.#byPath.get(done.join("/"));
    return entry?.type === "file" ? entry : undefined;
  }
}
