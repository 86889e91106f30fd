/** The client against a real registry: Debian's docker-registry. */

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import { closeConnections } from "../../src/base/http.ts";
import { parseOciContent } from "../../src/formats/oci-content.ts";
import { artifactFiles, localArtifact, pullFile } from "../../src/oci/artifact.ts";
import { copyContent } from "../../src/oci/copy.ts";
import { Registry } from "../../src/oci/registry.ts";
import { openRepository } from "../../src/oci/repository.ts";
import { dockerRegistry, type RegistryServer } from "../servers/docker-registry.ts";
import { tempDir } from "../support/temp-store.ts";

let server: RegistryServer;
beforeAll(async () => {
  server = await dockerRegistry();
});
afterAll(closeConnections);

describe("thin", () => {
  test("an artifact is pushed and pulled", async () => {
    const dir = tempDir();
    const file = path.join(dir, "hello.efi");
    fs.writeFileSync(file, randomBytes(3_000_000));
    const registry = new Registry(server.host, { credentials: async () => undefined, plainHttp: true });
    const { document, source } = localArtifact([{ file, title: "hello.efi" }], {
      artifactType: "application/vnd.example.efi",
      annotations: {},
    });
    const repository = openRepository(registry, { repository: "team/hello" });
    expect(await copyContent(document, { from: source, to: repository, tag: "1" })).toEqual({
      sent: 3_000_002,
      spared: 0,
    });
    const got = await repository.resolve({ host: server.host, repository: "team/hello", tag: "1" });
    expect(got.bytes).toEqual(document.bytes);
    const content = parseOciContent(got.bytes, got.mediaType, "x");
    if (content.kind !== "manifest") throw new Error("x");
    const [one] = artifactFiles(content, "x");
    const to = path.join(dir, "to");
    const pulled = await pullFile(one!, { source: repository, dir: to, replace: false, progress: () => {} });
    expect(fs.readFileSync(pulled.file).equals(fs.readFileSync(file))).toBe(true);
    expect(digestOf(document.bytes).hash).toBe(got.hash);
  });
});
