/** What any pod can do that reaches a port: connections from an address of its own, each of which does one thing for ever. */
import { connect as connectPlain } from 'node:net';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';

/** One attacker: opens a connection again whenever it is closed, until it is stopped. */
export interface Attack {
  /** Connections that were opened so far. */
  readonly opened: () => number;
  stop(): void;
}

export interface AttackOptions {
  readonly port: number;
  /** A loopback address of its own, such as 127.0.0.2. */
  readonly from: string;
  readonly connections: number;
  /** false: nothing is said in TLS. */
  readonly tls: boolean;
  /** Sent at once. */
  readonly head: string | Buffer;
  /** Sent again and again, every 50 ms or as soon as the other side takes it. */
  readonly then?: string | Buffer;
  /** Milliseconds before a connection that was closed is opened again. */
  readonly againMs?: number;
}

const DRIP_MS = 50;

/** Starts an attack. Whatever the server does, it goes on. */
export function attack({ port, from, connections, tls, head, then, againMs = 20 }: AttackOptions): Attack {
  const sockets = new Set<Socket>();
  let isStopped = false;
  let opened = 0;
  const open = (): void => {
    if (isStopped) return;
    opened += 1;
    const place = { host: '127.0.0.1', port, localAddress: from };
    const socket = tls ? connect({ ...place, rejectUnauthorized: false } as ConnectionOptions) : connectPlain(place);
    sockets.add(socket);
    let dripping: NodeJS.Timeout | undefined;
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      socket.write(head);
      if (then !== undefined) dripping = setInterval(() => socket.writableNeedDrain || socket.write(then), DRIP_MS);
    });
    socket.on('error', () => undefined).resume();
    socket.once('close', () => {
      clearInterval(dripping);
      sockets.delete(socket);
      setTimeout(open, againMs);
    });
  };
  for (let count = 0; count < connections; count++) open();
  return {
    opened: () => opened,
    stop: () => {
      isStopped = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}
