/** A load balancer for TCP on loopback, as a Service is one for its pods: each connection goes to the next target. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Balancer {
  readonly port: number;
  /** https://127.0.0.1:PORT */
  readonly url: string;
  /**
   * Connections go to these ports from now on, in turns. Open ones to others are closed, or stay with `keepOpen`, as
   * kube-proxy leaves them.
   */
  aim(ports: readonly number[], options?: { readonly keepOpen?: boolean }): void;
  /** Closes all connections. */
  stop(): Promise<void>;
}

export interface BalancerOptions {
  /** What a target that refuses the connection means: the next one is tried (default), or the client is reset. */
  readonly onRefused?: 'skip' | 'reset';
  /** Which target a connection goes to: the next in turn (default), or any, as kube-proxy's iptables mode chooses. */
  readonly choice?: 'turns' | 'random';
}

export async function startBalancer({ onRefused = 'skip', choice = 'turns' }: BalancerOptions = {}): Promise<Balancer> {
  let targets: readonly number[] = [];
  let turn = 0;
  const sockets = new Set<Socket>();
  const connections = new Map<Socket, number>();
  const hold = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('close', () => sockets.delete(socket));
  };
  const nextChoice = (): number => (choice === 'turns' ? turn++ : Math.floor(Math.random() * targets.length));
  /** Connects to the chosen target; one that refuses is skipped, as a Service skips pods that are not ready. */
  const forward = (client: Socket, chosen: number, triesLeft: number): void => {
    const port = targets[chosen % Math.max(targets.length, 1)];
    if (port === undefined || triesLeft === 0) {
      client.resetAndDestroy();
      return;
    }
    const server = hold(connect({ port, host: '127.0.0.1' }));
    const refused = (): void => forward(client, chosen + 1, onRefused === 'skip' ? triesLeft - 1 : 0);
    server.once('error', refused);
    server.once('connect', () => {
      server.off('error', refused);
      connections.set(client, port);
      client.on('close', () => connections.delete(client));
      server.on('error', () => client.destroy());
      client.on('error', () => server.destroy()).on('close', () => server.destroy());
      client.pipe(server);
      server.pipe(client);
    });
  };
  const balancer = createServer({ noDelay: true }, (client) => {
    hold(client).on('error', () => undefined);
    forward(client, nextChoice(), targets.length);
  });
  balancer.listen(0, '127.0.0.1');
  await once(balancer, 'listening');
  const { port } = balancer.address() as AddressInfo;
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    aim: (ports, { keepOpen = false } = {}) => {
      targets = ports;
      if (keepOpen) return;
      for (const [client, port] of connections) if (!ports.includes(port)) client.destroy();
    },
    stop: async () => {
      balancer.close();
      for (const socket of sockets) socket.destroy();
      if (balancer.listening) await once(balancer, 'close');
    },
  };
}
