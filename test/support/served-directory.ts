/** A directory as any web server shows it, on loopback: files, and 404 for all else. */
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";

export interface ServedDirectory extends AsyncDisposable {
  readonly url: (name: string) => string;
}

/** `account`: "name:password", without which nothing is shown. */
export async function serveDirectory(dir: string, { account }: { account?: string } = {}): Promise<ServedDirectory> {
  const wanted = account && `Basic ${Buffer.from(account).toString("base64")}`;
  const server = http.createServer((request, response) => {
    if (wanted !== undefined && request.headers.authorization !== wanted) {
      response.writeHead(401).end();
      return;
    }
    const file = path.join(dir, decodeURIComponent(new URL(request.url!, "http://localhost").pathname));
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-length": stat.size });
    fs.createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (name) => `http://127.0.0.1:${port}/${name}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
