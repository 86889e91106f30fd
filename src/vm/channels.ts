/**
 * What lies between QEMU and us: pipes for the serial port, and unix sockets on which we listen and QEMU connects, each
 * exactly once.
 */
import net from "node:net";
import { ioError } from "../base/errors.ts";
import { type ConsolePipes, makeConsolePipes, openConsolePipes } from "./console-pipes.ts";
import { SOCKETS, type SocketName, socketPath } from "./qemu-args.ts";

export interface Connections {
  readonly sockets: Readonly<Record<SocketName, net.Socket>>;
  readonly console: ConsolePipes;
}

export interface Channels {
  /** Resolves when QEMU has connected all of them. */
  readonly connected: Promise<Connections>;
  close(): void;
}

/** Throws an I/O error when a socket cannot be made, PROGRAM_FAILED when a pipe cannot. Only the owner of the scratch directory (mode 0700) can connect. */
export async function listenForChannels(scratch: string): Promise<Channels> {
  await makeConsolePipes(scratch);
  const servers = await Promise.all(SOCKETS.map((name) => listen(socketPath(scratch, name))));
  const sockets: net.Socket[] = [];
  const connect = async (): Promise<Connections> => {
    const list = await Promise.all(servers.map((server) => firstConnection(server, sockets)));
    const console = openConsolePipes(scratch);
    sockets.push(console.output, console.input);
    return { sockets: Object.fromEntries(SOCKETS.map((name, i) => [name, list[i]!])) as never, console };
  };
  return {
    connected: connect(),
    close: () => {
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function listen(file: string): Promise<net.Server> {
  const { promise, resolve, reject } = Promise.withResolvers<net.Server>();
  const server = net.createServer();
  server.once("error", (error) => reject(ioError("listen on", file, error)));
  server.listen(file, () => resolve(server));
  return promise;
}

function firstConnection(server: net.Server, sockets: net.Socket[]): Promise<net.Socket> {
  return new Promise((resolve) => {
    server.once("connection", (socket) => {
      socket.on("error", () => {}); // QEMU died: its exit tells.
      sockets.push(socket);
      server.close();
      resolve(socket);
    });
  });
}
