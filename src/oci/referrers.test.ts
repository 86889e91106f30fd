/** What refers to a manifest: by the registry's own list, and by the index under a tag where it keeps none. */
import { afterAll, describe, expect, test, vi } from "vitest";
import { closeConnections } from "../base/http.ts";
import { EMPTY_BYTES } from "../formats/oci-content.ts";
import { bytesBlob } from "./blob.ts";
import { documentOf, empty } from "./document.fake.ts";
import { listReferrers } from "./referrers.ts";
import { fakeRegistry } from "./registry.fake.ts";
import { Registry } from "./registry.ts";
import { openRepository } from "./repository.ts";
import { listTags } from "./tags.ts";

vi.stubEnv("no_proxy", "127.0.0.1,localhost");
afterAll(closeConnections);

describe.each([true, false])("with the referrers API: %s", (referrers) => {
  test("all are listed, over pages, and by type", async () => {
    const fake = await fakeRegistry({ referrers, page: 1 });
    const registry = new Registry(fake.host, { credentials: async () => undefined, plainHttp: true });
    const repository = openRepository(registry, { repository: "a/b" });
    await repository.putBlob(bytesBlob(empty, EMPTY_BYTES), () => {});
    const subject = documentOf("application/vnd.example.thing");
    await repository.putDocument(subject, { tag: "1" });
    const about = ["sbom", "signature", "signature2"].map((name) =>
      documentOf(`application/vnd.example.${name}`, subject),
    );
    for (const one of [...about, about[0]!]) await repository.putDocument(one, {});
    const list = (artifactType?: string) =>
      listReferrers(registry, { repository: "a/b", hash: subject.hash, artifactType });
    expect((await list()).map(({ hash }) => hash).sort()).toEqual(about.map(({ hash }) => hash).sort());
    expect((await list("application/vnd.example.sbom")).map(({ hash }) => hash)).toEqual([about[0]!.hash]);
    expect(await listReferrers(registry, { repository: "a/b", hash: empty.hash })).toEqual([]);
    const tags = await listTags(registry, "a/b");
    expect(tags).toEqual(referrers ? ["1"] : ["1", `sha256-${subject.hash}`]);
    await fake.close();
  });
});
