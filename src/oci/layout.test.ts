import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { encodePax } from "../formats/pax.ts";
import { encodeTarEnd, encodeTarHeader } from "../formats/tar-writer.ts";
import { openOciLayout } from "./layout.ts";

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
const header = (at: string, size: number) =>
  encodeTarHeader({ type: "file", path: at, mode: 0o644, uid: 0, gid: 0, content: { hash: "", size } });

/** An extended header, as one stands before a member that is larger than a header can say. */
function extended(record: string): Buffer {
  const body = encodePax([{ key: "size", value: Buffer.from(record) }]);
  const head = header("PaxHeaders/x", body.length);
  head[156] = "x".charCodeAt(0);
  head.write("        ", 148, "latin1");
  const sum = head.reduce((all, byte) => all + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([head, padded(body)]);
}

function tarWith(record: string): string {
  const file = path.join(tempDir(), "layout.tar");
  const marker = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
  const large = Buffer.from("of more than 8 GiB, as it were");
  fs.writeFileSync(
    file,
    Buffer.concat([
      ...[extended(record), header("blobs/sha256/ab", 0), padded(large)],
      ...[header("oci-layout", marker.length), padded(marker), encodeTarEnd()],
    ]),
  );
  return file;
}

test("a member's size may stand in an extended header", () => {
  const layout = openOciLayout("tar", tarWith("30"));
  expect(layout.find("blobs/sha256/ab")).toMatchObject({ size: 30 });
});

test.each(["x", "99999999999999999999", "-1", "1000000"])("a size that cannot be is refused: %s", (record) => {
  expect(() => openOciLayout("tar", tarWith(record))).toThrow(/FORMAT|cut off|size/);
});
