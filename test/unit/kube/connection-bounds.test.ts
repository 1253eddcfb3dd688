import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

import { expect } from 'chai';

import { ConnectionBounds } from '../../../kube/connection-bounds.ts';
import type { ConnectionLimits } from '../../../kube/connection-bounds.ts';
import { eventually, ManualClock } from '../../support/manual-clock.ts';

const PLENTY = { burst: 1000, perSecond: 1 };

describe('bounds on connections', () => {
  let server: Server;
  let bounds: ConnectionBounds;
  let accepted: Socket[];
  let clients: Socket[];
  let turnedAway: string[];
  let clock: ManualClock;

  async function start(limits: Partial<ConnectionLimits>): Promise<void> {
    accepted = [];
    clients = [];
    turnedAway = [];
    clock = new ManualClock();
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      accepted.push(socket);
    });
    bounds = new ConnectionBounds({
      clock,
      limits: { total: 100, perPeer: 100, fresh: PLENTY, ...limits },
      onTurnedAway: (why, address) => turnedAway.push(`${why} ${address}`),
    });
    bounds.guard(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  afterEach(async () => {
    for (const client of clients) client.destroy();
    server.close();
    await once(server, 'close');
  });

  /** Opens a connection from this address; resolves when the server has decided about it. */
  async function open(localAddress: string): Promise<Socket> {
    const { port } = server.address() as AddressInfo;
    const before = accepted.length + turnedAway.filter((line) => !line.startsWith('displaced')).length;
    const client = connect({ host: '127.0.0.1', port, localAddress });
    clients.push(client.on('error', () => undefined).resume());
    await once(client, 'connect');
    await eventually(() =>
      expect(accepted.length + turnedAway.filter((line) => !line.startsWith('displaced')).length).to.equal(before + 1),
    );
    return client;
  }
  const openAll = async (...addresses: string[]): Promise<Socket[]> => {
    const sockets: Socket[] = [];
    for (const address of addresses) sockets.push(await open(address));
    return sockets;
  };
  const isClosed = (socket: Socket | undefined): Promise<void> =>
    eventually(() => expect(socket?.closed).to.equal(true));

  it('closes the oldest connection of an address that opens one too many, and nobody else’s', async () => {
    await start({ perPeer: 2 });
    const [other, first, second, third] = await openAll('127.0.0.2', '127.0.0.1', '127.0.0.1', '127.0.0.1');
    await isClosed(first);
    expect([other, second, third].map((socket) => socket?.closed)).to.deep.equal([false, false, false]);
    expect(turnedAway).to.deep.equal(['displaced 127.0.0.1']);
    expect(bounds.count).to.equal(3);
  });

  it('refuses an address that has as many as it may, all of them proven', async () => {
    await start({ perPeer: 1 });
    await open('127.0.0.1');
    for (const socket of accepted) bounds.prove(socket);
    await isClosed(await open('127.0.0.1'));
    expect(turnedAway).to.deep.equal(['peer 127.0.0.1']);
    expect(accepted[0]?.destroyed).to.equal(false);
  });

  it('gives a newcomer the place of the address that holds the most, the oldest first', async () => {
    await start({ total: 4 });
    const [lone, first] = await openAll('127.0.0.2', '127.0.0.1', '127.0.0.1', '127.0.0.1');
    await open('127.0.0.3');
    await isClosed(first);
    expect(lone?.closed).to.equal(false);
    expect(turnedAway).to.deep.equal(['displaced 127.0.0.1']);
  });

  it('closes no proven connection while there is another one', async () => {
    await start({ total: 3 });
    const [, , loner] = await openAll('127.0.0.1', '127.0.0.1', '127.0.0.2');
    for (const socket of accepted.slice(0, 2)) bounds.prove(socket);
    await open('127.0.0.3');
    await isClosed(loner);
    expect(turnedAway).to.deep.equal(['displaced 127.0.0.2']);
  });

  it('takes from the largest where all are proven, and refuses only who would have more', async () => {
    await start({ total: 3 });
    const [first] = await openAll('127.0.0.1', '127.0.0.1', '127.0.0.1');
    for (const socket of accepted) bounds.prove(socket);
    await open('127.0.0.2');
    await isClosed(first);
    for (const socket of accepted) bounds.prove(socket);
    await open('127.0.0.1');
    expect(turnedAway).to.deep.equal(['displaced 127.0.0.1', 'total 127.0.0.1']);
  });

  it('refuses an address that keeps opening connections which come to nothing, until time has passed', async () => {
    await start({ fresh: { burst: 2, perSecond: 1 } });
    for (const client of await openAll('127.0.0.1', '127.0.0.1')) client.destroy();
    await eventually(() => expect(bounds.count).to.equal(0));
    await openAll('127.0.0.1', '127.0.0.2');
    expect(turnedAway).to.deep.equal(['rate 127.0.0.1']);
    await clock.advance(1000);
    await open('127.0.0.1');
    expect(turnedAway).to.have.length(1);
  });

  it('counts no connection of an address that has proven one', async () => {
    await start({ fresh: { burst: 1, perSecond: 1 } });
    await open('127.0.0.1');
    for (const socket of accepted) bounds.prove(socket);
    for (let turn = 0; turn < 5; turn++) (await open('127.0.0.1')).destroy();
    expect(turnedAway).to.deep.equal([]);
  });

  it('gets a proven connection’s share back when it has closed', async () => {
    await start({ fresh: { burst: 1, perSecond: 1 } });
    for (let turn = 0; turn < 3; turn++) {
      const client = await open('127.0.0.1');
      for (const socket of accepted) bounds.prove(socket);
      client.destroy();
      await eventually(() => expect(bounds.count).to.equal(0));
    }
    expect(turnedAway).to.deep.equal([]);
  });
});
