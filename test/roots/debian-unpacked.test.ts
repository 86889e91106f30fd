/** A Debian root without scripts: a merged /usr, accounts, certificates and a record of each package; nothing has run. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { readTar } from "../../src/formats/tar-reader.ts";
import { debianArchive, type FakePackage, SUITE, signingKey } from "../support/debian-archive.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const MASTER = "root:*:0:0:root:/root:/bin/bash\ndaemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n";

test("holds the packages' files, and what every root needs of what scripts make", async () => {
  const packages = [
    deb("base", {
      "bin/sh": "shell\n",
      "usr/lib/os-release": "ID=debian\n",
      "usr/share/base-passwd/passwd.master": MASTER,
      "usr/share/base-passwd/group.master": "root:*:0:\ndaemon:*:1:\n",
      "DEBIAN/postinst": "#!/bin/sh\ntouch /ran\n",
    }),
    deb("wanted", { "usr/bin/wanted": "wanted\n" }, "other"),
    deb("other", {
      "usr/share/ca-certificates/b/Z.crt": "Z\n",
      "usr/share/ca-certificates/b/a.crt": "a",
      "usr/share/ca-certificates/a.crt": "first\n",
    }),
    deb("nobody-wants", { "usr/bin/no": "no\n" }),
  ];
  const entries = await unpacked(packages, "wanted");
  expect(entries.get("bin")).toBe("→ usr/bin");
  expect(entries.get("usr/bin/sh")).toBe("shell\n");
  expect(entries.get("etc/passwd")).toBe(`${MASTER}me:x:1000:1000::/home/me:/bin/sh\n`);
  expect(entries.get("etc/group")).toBe("root:*:0:\ndaemon:*:1:\nme:x:1000:\n");
  expect(entries.get("etc/ssl/certs/ca-certificates.crt")).toBe("first\nZ\na\n");
  for (const name of ["base", "other", "wanted"])
    expect(entries.get(`var/lib/dpkg/status.d/${name}`)).toMatch(new RegExp(`^Package: ${name}\nVersion: 1.0\n`));
  for (const absent of ["ran", "usr/bin/no", "var/lib/dpkg/status"]) expect(entries.has(absent), absent).toBe(false);
});

test("scripts belong to a whole root", async () => {
  const dir = writeProject("name: x\ntrees: { t: { from: [{ debian: [a], unpack: true, scripts: false }] } }\n");
  await expect(buildProject(dir)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

/** Files by path; those below DEBIAN are the package's own. */
function deb(name: string, files: Readonly<Record<string, string>>, depends?: string): FakePackage {
  const dir = temporaryDir();
  const fields = [...(depends ? [`Depends: ${depends}`] : []), ...(name === "base" ? ["Essential: yes"] : [])];
  const about = [`Package: ${name}`, "Version: 1.0", "Architecture: all", "Maintainer: nobody <nobody@test.invalid>"];
  const control = [...about, ...fields, "Description: made by a test", ""].join("\n");
  for (const [file, text] of Object.entries({ ...files, "DEBIAN/control": control })) {
    fs.mkdirSync(path.join(dir, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(dir, file), text, { mode: file.endsWith("postinst") ? 0o755 : 0o644 });
  }
  fs.chmodSync(dir, 0o755);
  const file = path.join(temporaryDir(), "package.deb");
  execFileSync(needProgram("dpkg-deb", "dpkg"), ["--root-owner-group", "--build", dir, file], { stdio: "pipe" });
  return { name, arch: "all", fields, content: fs.readFileSync(file) };
}

/** The root's files by path: their text, or "→ target". */
async function unpacked(packages: readonly FakePackage[], name: string): Promise<ReadonlyMap<string, string>> {
  const key = signingKey();
  const archive = debianArchive({ packages, signers: [key] });
  const dir = writeProject(`
name: bare
sources: { debian: { mirror: "${archive.source.uri}", suite: ${SUITE}, keyring: "${key.keyring}" } }
trees: { root: { from: [{ debian: [${name}], variant: essential, scripts: false }], users: { me: {} } } }
images: { root: { kind: tar, tree: root, compress: none } }
`);
  const { root } = await buildProject(dir);
  const entries = new Map<string, string>();
  for await (const member of readTar(fs.createReadStream(root!))) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of member.content()) chunks.push(chunk);
    entries.set(member.path, member.type === "symlink" ? `→ ${member.target}` : Buffer.concat(chunks).toString());
  }
  return entries;
}
