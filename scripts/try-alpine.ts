/**
 * Tries the readers of Alpine's formats on real files: `node scripts/try-alpine.ts DIR`, where DIR holds an APKINDEX.tar.gz,
 * packages and public keys. It says what the code makes of them; a signature by a key that is not in DIR is told, not fatal.
 */

import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../src/base/errors.ts";
import { readGzipMember, readSegment, signaturesOf, verifyApkSignature } from "../src/formats/apk-archive.ts";
import { parseApkIndex } from "../src/formats/apk-index.ts";
import { readApkControl } from "../src/formats/apk-package.ts";
import { isApkVersion } from "../src/formats/apk-version.ts";
import { loadAlpineKeys } from "../src/source/alpine.ts";
import { alpineClosure } from "../src/source/alpine-closure.ts";

const dir = process.argv[2];
if (dir === undefined) throw new Error("usage: node scripts/try-alpine.ts DIR");
const names = fs.readdirSync(dir).sort();
const keys = loadAlpineKeys(names.filter((name) => name.endsWith(".pub")).map((name) => path.resolve(dir, name)));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const said = (work: () => unknown): string => {
  try {
    work();
    return "verifies";
  } catch (error) {
    if (error instanceof BootwrightError) return `${error.code}: ${error.message}`;
    throw error;
  }
};

for (const name of names) {
  const bytes = fs.readFileSync(path.join(dir, name));
  if (name.startsWith("APKINDEX")) {
    const first = readGzipMember(bytes, name);
    const signed = bytes.subarray(first.length);
    const signatures = signaturesOf(await readSegment(first.content, name));
    say(`${name}: signature ${said(() => verifyApkSignature(signed, { signatures, keys, what: name }))}`);
    const text = (await readSegment(readGzipMember(signed, name).content, name)).get("APKINDEX")!.toString("utf8");
    const index = parseApkIndex(text, name);
    const odd = index.filter(({ version }) => !isApkVersion(version)).map(({ version }) => version);
    say(`${name}: ${index.length} packages; versions that are none: ${odd.join(", ") || "none"}`);
    let whole = 0;
    const broken = new Map<string, number>();
    for (const one of index)
      try {
        alpineClosure(index, [one.name]);
        whole++;
      } catch (error) {
        const why = (error as Error).message.replace(/^\S+ /, "");
        broken.set(why, (broken.get(why) ?? 0) + 1);
      }
    say(`${name}: ${whole} of them resolve within this index alone; most wanted of the others:`);
    for (const [why, count] of [...broken].sort((a, b) => b[1] - a[1]).slice(0, 5)) say(`  ${count} times: ${why}`);
    say(
      `${name}: alpine-base is ${alpineClosure(index, ["alpine-base"])
        .map((one) => one.name)
        .join(" ")}`,
    );
  } else if (name.endsWith(".apk")) {
    const control = await readApkControl(bytes, { what: name });
    const data = createHash("sha256").update(bytes.subarray(control.dataAt)).digest("hex");
    say(
      `${name}: ${control.name} ${control.version} (${control.arch}), scripts: ${Object.keys(control.scripts).join(" ")}`,
    );
    say(
      `${name}: its files ${data === control.dataHash ? "are those that it speaks of" : "are NOT those that it speaks of"}`,
    );
    say(
      `${name}: signature ${await readApkControl(bytes, { what: name, keys }).then(
        () => "verifies",
        (error: Error) => error.message,
      )}`,
    );
  }
}
