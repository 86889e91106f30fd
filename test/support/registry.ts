/** A registry for a test file; it ends with it. */
import { afterAll } from "vitest";
import { type RegistryServer, type RegistryServerOptions, startDockerRegistry } from "../servers/docker-registry.ts";
import { temporaryDir } from "./test-session.ts";

export async function dockerRegistry(options: RegistryServerOptions = {}): Promise<RegistryServer> {
  const server = await startDockerRegistry(temporaryDir("bootwright-registry-"), options);
  afterAll(server.stop);
  return server;
}
