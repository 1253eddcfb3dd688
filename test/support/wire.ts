/** A TCP connection to a server on loopback that can be cut, so that the server is away for those who go this way alone. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './ports.ts';

export interface Wire {
  /** http://127.0.0.1:PORT, if the address has no TLS. */
  readonly address: string;
  /** Connections that were made since the last call. */
  connections(): number;
  /** Connections break, and new ones are refused. */
  cut(): Promise<void>;
  /** As before, at the same port. */
  mend(): Promise<void>;
}

/** `address` such as http://127.0.0.1:8200. Call cut() when it is not needed any more. */
export async function layWire(address: string): Promise<Wire> {
  const { protocol, hostname, port: target } = new URL(address);
  const port = await freePort();
  const sockets = new Set<Socket>();
  let made = 0;
  let server: Server | undefined;
  const keep = (socket: Socket, peer: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => peer.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      peer.destroy();
    });
  };
  const mend = async (): Promise<void> => {
    const listening = createServer((inward) => {
      made += 1;
      const outward = connect(Number(target), hostname);
      keep(inward, outward);
      keep(outward, inward);
      inward.pipe(outward).pipe(inward);
    });
    await new Promise<void>((resolve) => listening.listen(port, '127.0.0.1', resolve));
    server = listening;
  };
  await mend();
  return {
    address: `${protocol}//127.0.0.1:${port}`,
    connections: () => {
      const count = made;
      made = 0;
      return count;
    },
    cut: async () => {
      const closing = server;
      server = undefined;
      for (const socket of sockets) socket.destroy();
      if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
    },
    mend,
  };
}
