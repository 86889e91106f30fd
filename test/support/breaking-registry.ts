/** A registry behind a proxy that breaks what a test tells it to. Both end with the test file. */
import { afterAll, beforeAll, vi } from "vitest";
import { closeConnections } from "../../src/base/http.ts";
import { type FaultProxy, faultProxy } from "../../src/oci/fault-proxy.fake.ts";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { dockerRegistry } from "./registry.ts";

export interface BreakingRegistry {
  server: RegistryServer;
  proxy: FaultProxy;
}

/** To be called once, at the top of a test file; what it gives is there when the tests run. */
export function breakingRegistry(): BreakingRegistry {
  const made = {} as BreakingRegistry;
  vi.stubEnv("no_proxy", "127.0.0.1,localhost");
  beforeAll(async () => {
    made.server = await dockerRegistry();
    made.proxy = await faultProxy(made.server.host);
  });
  afterAll(async () => {
    await closeConnections();
    await made.proxy?.close();
  });
  return made;
}
