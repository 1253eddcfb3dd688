import { createServer } from 'node:net';
import type { Server } from 'node:net';

import { expect } from 'chai';

import { listen, ListenError } from '../../../kube/listen.ts';
import { loopback } from '../../support/loopback.ts';

describe('listening', () => {
  const servers: Server[] = [];
  const newServer = (): Server => {
    const server = createServer();
    servers.push(server);
    return server;
  };
  const failure = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    );

  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it('picks a free port for port 0 and says which', async () => {
    const address = await listen(newServer(), loopback());
    expect(address.address).to.equal('127.0.0.1');
    expect(address.port).to.be.above(0);
  });

  it('says which address is taken and what to do', async () => {
    const { port } = await listen(newServer(), loopback());
    const error = await failure(listen(newServer(), loopback(port)));
    expect(error).to.be.instanceOf(ListenError).with.property('code', 'EADDRINUSE');
    expect(error)
      .to.have.property('message')
      .that.equals(
        `cannot listen on 127.0.0.1, port ${port}: another process uses it (EADDRINUSE). ` +
          'Stop that process, or choose another --some-port',
      );
  });

  it('names the setting of an address that this machine does not have', async () => {
    // TEST-NET-1 (RFC 5737): nobody has it
    const error = await failure(listen(newServer(), { ...loopback(), host: '192.0.2.1' }));
    expect(error)
      .to.have.property('message')
      .that.matches(/no such address \(EADDRNOTAVAIL\)\. Correct --some-host/);
  });
});
