/** A registry for a test file; it ends with it. */
import { afterAll } from "vitest";
import { type RegistryServer, type RegistryServerOptions, startDockerRegistry } from "../servers/docker-registry.ts";
import { temporaryDir } from "./test-session.ts";

const started: RegistryServer[] = [];

// Here, not where one is started: a hook that a hook registers is never run.
afterAll(async () => {
  for (const server of started.splice(0)) await server.stop();
});

export async function dockerRegistry(options: RegistryServerOptions = {}): Promise<RegistryServer> {
  const server = await startDockerRegistry(temporaryDir("bootwright-registry-"), options);
  started.push(server);
  return server;
}
