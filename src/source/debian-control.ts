/** The control file of a Debian package: what it says of itself. */
import { BootwrightError } from "../base/errors.ts";
import { readAr } from "../formats/ar.ts";
import { parseStanza, type Stanza } from "../formats/deb822.ts";
import { decompress } from "../formats/decompress.ts";
import { readTar } from "../formats/tar-reader.ts";

/** Throws FORMAT_INVALID. */
export async function readControl(bytes: Iterable<Uint8Array>, what: string): Promise<Stanza> {
  return parseStanza(await controlText(bytes, what), what);
}

/** As it is. Throws FORMAT_INVALID. */
export async function controlText(bytes: Iterable<Uint8Array>, what: string): Promise<string> {
  for await (const member of readAr(bytes, what)) {
    if (!member.name.startsWith("control.tar")) continue;
    // Read to its end: a decompressor that is left half way may never come back.
    const text = await textOf(decompress(member.content(), { what }), what);
    if (text !== undefined) return text;
  }
  throw new BootwrightError("FORMAT_INVALID", `${what}: a Debian package without a control file`);
}

async function textOf(tar: AsyncIterable<Uint8Array>, what: string): Promise<string | undefined> {
  let text: string | undefined;
  for await (const file of readTar(tar, { origin: what })) {
    if (file.path !== "control") continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.content()) chunks.push(chunk);
    text = Buffer.concat(chunks).toString("utf8");
  }
  return text;
}
