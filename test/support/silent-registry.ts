/** A registry that says nothing: what asks it waits until its own patience ends. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface SilentRegistry {
  /** Such as 127.0.0.1:23456: what images in it begin with. */
  readonly host: string;
  stop(): Promise<void>;
}

/** Takes connections, and answers nothing. */
export async function startSilentRegistry(): Promise<SilentRegistry> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
