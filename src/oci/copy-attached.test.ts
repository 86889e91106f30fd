/** What is attached goes along with a copy, from and to registries of either kind and layouts. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { digestOf } from "../base/digest.ts";
import { closeConnections } from "../base/http.ts";
import { OCI_TYPES } from "../formats/oci.ts";
import { EMPTY_BYTES, encodeIndex } from "../formats/oci-content.ts";
import { bytesBlob } from "./blob.ts";
import { copyContent } from "./copy.ts";
import { type AttachmentSource, copyAttached, findAttached } from "./copy-attached.ts";
import { type AttachmentPlace, attach, readAttached } from "./cosign.ts";
import { documentOf, empty } from "./document.fake.ts";
import { openLayoutSource } from "./layout-content.ts";
import { layoutDirectory } from "./layout-writer.ts";
import { type Document, getManifest, headManifest } from "./manifests.ts";
import { listReferrers } from "./referrers.ts";
import { fakeRegistry } from "./registry.fake.ts";
import { Registry } from "./registry.ts";
import { openRepository } from "./repository.ts";

vi.stubEnv("no_proxy", "127.0.0.1,localhost");
afterAll(closeConnections);

async function registryPlace(referrers: boolean) {
  const fake = await fakeRegistry({ referrers });
  onTestFinished(() => fake.close());
  const registry = new Registry(fake.host, { credentials: async () => undefined, plainHttp: true });
  const repository = openRepository(registry, { repository: "a/b" });
  const named = (tag: string) => ({ host: fake.host, repository: "a/b", tag });
  const place: AttachmentPlace & AttachmentSource = {
    ...{ source: repository, target: repository },
    findTag: async (tag) =>
      (await headManifest(registry, named(tag))) === undefined ? undefined : getManifest(registry, named(tag)),
    referrers: (hash) => listReferrers(registry, { repository: "a/b", hash }),
  };
  return { repository, place };
}

const signature = (text: string) => ({ kind: "signature" as const, bytes: Buffer.from(text), signature: text });

test.each([true, false])("to a layout and on, referrers API: %s", async (api) => {
  const from = await registryPlace(api);
  const image = documentOf("application/vnd.example.image");
  const bytes = encodeIndex([{ ...image, annotations: new Map() }]);
  const index: Document = { ...digestOf(bytes), mediaType: OCI_TYPES.index, bytes };
  await from.repository.putBlob(bytesBlob(empty, EMPTY_BYTES), () => {});
  await from.repository.putDocument(image, {});
  await from.repository.putDocument(index, { tag: "1" });
  const bill = documentOf("application/vnd.example.bill", image);
  const signed = documentOf("application/vnd.example.signed", bill);
  for (const one of [bill, signed]) await from.repository.putDocument(one, {});
  await attach(from.place, index, signature("of one"));

  const dir = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "bootwright-attached-")), "layout");
  onTestFinished(() => fs.rmSync(path.dirname(dir), { recursive: true }));
  const found = await findAttached(index, from.place);
  expect(found.map(({ document }) => document.hash)).toEqual(expect.arrayContaining([bill.hash, signed.hash]));
  expect(found).toHaveLength(4); // A bill, a signature of it, and a signature of the index as a tag and as a referrer.
  const target = layoutDirectory(dir);
  await copyAttached(found, { from: from.place, to: target, there: undefined });
  await copyContent(index, { from: from.repository, to: target });
  await target.finish();

  // Nobody needs to say which of them is the image.
  const layout = openLayoutSource("layout", dir);
  expect(layout.resolve(undefined).hash).toBe(index.hash);
  const source: AttachmentSource = {
    source: layout,
    findTag: async (tag) => (tag.startsWith(`sha256-${index.hash}.sig`) ? layout.resolve(tag) : undefined),
    referrers: async (hash) => layout.referrers(hash),
  };
  const to = await registryPlace(!api);
  await to.repository.putBlob(bytesBlob(empty, EMPTY_BYTES), () => {});
  await attach({ ...to.place, referrers: undefined }, index, signature("of another"));
  const again = await findAttached(index, source);
  expect(again.map(({ document }) => document.hash).sort()).toEqual(found.map(({ document }) => document.hash).sort());
  await copyAttached(again, { from: source, to: to.repository, there: to.place });
  await copyContent(index, { from: layout, to: to.repository });
  for (const [subject, referrer] of [[image, bill] as const, [bill, signed] as const])
    expect((await to.place.referrers!(subject.hash)).map(({ hash }) => hash)).toEqual([referrer.hash]);
  const damaged = (error: unknown) => expect.fail(String(error));
  const signatures = await readAttached(to.place, { hash: index.hash, kind: "signature", damaged });
  expect(signatures.map((one) => one.signature).sort()).toEqual(["of another", "of one"]);
});
