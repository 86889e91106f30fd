/**
 * The stage that makes a root of Debian packages without running anything, so for any architecture: their files, and what
 * every root needs of what their scripts would have made. Each package is recorded in a file of its own below
 * var/lib/dpkg/status.d, where scanners look in images without dpkg.
 */
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { controlText } from "./debian-control.ts";
import { MERGED } from "./debian-root.ts";

export interface DebianUnpackedOptions {
  readonly name: string;
  /** By name. */
  readonly packages: readonly { readonly name: string; readonly file: BlobInput; readonly tree: TreeInput }[];
  /** Debian's name. */
  readonly arch: "amd64" | "arm64";
  /** Seconds since the epoch: the time of what no package brought. */
  readonly epoch: number;
}

type Unpacked = Stage<{ files: readonly BlobInput[]; trees: readonly TreeInput[] }, { tree: TreeArtifact }>;

export function debianUnpacked({ name, packages, arch, epoch }: DebianUnpackedOptions): Unpacked {
  const merged = MERGED[arch];
  return defineStage({
    name,
    kind: "debian-unpacked",
    version: 1,
    inputs: { files: packages.map(({ file }) => file), trees: packages.map(({ tree }) => tree) },
    params: { packages: packages.map((one) => one.name), merged, epoch },
    outputs: ["tree"],
    run: async ({ inputs, store, signal, progress }) => {
      const root = new UnpackedRoot(store, { origin: name, epoch });
      root.merge(merged);
      for (const [i, { name: pkg }] of packages.entries()) {
        signal.throwIfAborted();
        root.builder.addTree(store.getTree(inputs.trees[i]!), { origin: `package ${pkg}` });
        root.record(pkg, await controlText(store.blobs.read(inputs.files[i]!), pkg));
        progress(i + 1, { total: packages.length, unit: "steps", what: "unpacking" });
      }
      root.addAccounts();
      root.addCertificates();
      return { tree: store.putTree(root.builder.build()) };
    },
  });
}

const CERTIFICATES = /^usr\/share\/ca-certificates\/(.+\.crt)$/;

class UnpackedRoot {
  readonly builder = new TreeBuilder();
  readonly #store: Store;
  readonly #options: { readonly origin: string; readonly epoch: number };

  constructor(store: Store, options: { readonly origin: string; readonly epoch: number }) {
    this.#store = store;
    this.#options = options;
  }

  /** As usrmerge leaves a root. The packages may still ship the old places. */
  merge(directories: readonly string[]): void {
    for (const dir of directories) {
      this.builder.add(plainDirectory(`usr/${dir}`), this.#options);
      const link = { type: "symlink", path: dir, mode: 0o777, uid: 0, gid: 0, target: `usr/${dir}` } as const;
      this.builder.add(link, this.#options);
    }
  }

  record(pkg: string, control: string): void {
    this.#add(`var/lib/dpkg/status.d/${pkg}`, Buffer.from(control));
  }

  /** What base-passwd's script starts from: root and the accounts that Debian gives numbers to. */
  addAccounts(): void {
    for (const file of ["passwd", "group"]) {
      const master = this.#read(`usr/share/base-passwd/${file}.master`);
      if (master !== undefined && !this.builder.has(`etc/${file}`)) this.#add(`etc/${file}`, master);
    }
  }

  /** What update-ca-certificates makes for programs that want one file: every certificate, in the order of names. */
  addCertificates(): void {
    const names = [...this.builder.paths()].filter((path) => CERTIFICATES.test(path)).sort();
    if (names.length === 0) return;
    const parts = names.map((path) => {
      const text = this.#read(path)!.toString("latin1");
      return text.endsWith("\n") ? text : `${text}\n`;
    });
    this.#add("etc/ssl/certs/ca-certificates.crt", Buffer.from(parts.join(""), "latin1"));
  }

  #read(path: string): Buffer | undefined {
    const entry = this.builder.get(path);
    return entry?.type === "file" ? this.#store.readContent(entry.content) : undefined;
  }

  #add(path: string, bytes: Buffer): void {
    const content = this.#store.blobs.put(bytes);
    const file = { type: "file", path, mode: 0o644, uid: 0, gid: 0, mtime: this.#options.epoch, content } as const;
    this.builder.add(file, this.#options);
  }
}
