import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import type { Limits } from '../../../webhook/server.ts';
import { becomes, POST, review, WebhookScene } from '../../support/webhook-scene.ts';

const MIB = 2 ** 20;

describe('the bounds of the webhook server', () => {
  let scene: WebhookScene;

  async function start(limits: Partial<Limits> = {}): Promise<void> {
    scene = await WebhookScene.create(limits);
    await scene.start();
  }
  afterEach(() => scene.stop());

  describe('for clients that are no API servers', () => {
    const elsewhere = 'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

    it('answers before the body has come, closes the connection, and logs and reviews nothing', async () => {
      await start();
      const before = await scene.page();
      const socket = await scene.raw(`${elsewhere}Content-Length: 1000000\r\n\r\n{`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).to.match(/^HTTP\/1\.1 404 [\s\S]*Connection: close[\s\S]*not found\n$/);
      await closing(socket);
      expect(scene.turnedAway).to.deep.equal(['path 127.0.0.1']);
      expect(scene.log.lines).to.deep.equal([]);
      const counts = (page: string): string[] =>
        page.split('\n').filter((line) => /^vault_injection_(reviews|requests_refused)_total/.test(line));
      expect(counts(await scene.page())).to.deep.equal(counts(before));
    });

    it('ends a handshake that does not come to its end', async () => {
      await start({ handshakeMs: 50 });
      const silent = connect(scene.port, '127.0.0.1').on('error', () => undefined);
      await closing(silent);
      await becomes(() => scene.turnedAway.length > 0);
      expect(scene.turnedAway).to.deep.equal(['handshake ']);
    });

    it('ends a connection that sends its headers byte by byte, or nothing', async () => {
      await start({ headersMs: 100, requestMs: 100 });
      const sockets = [await scene.raw(''), await scene.raw('POST / HTTP/1.1\r\nX: ')];
      const dripping = setInterval(() => sockets[1]?.write('x'), 10).unref();
      await Promise.all(sockets.map(closing));
      clearInterval(dripping);
      expect(scene.turnedAway).to.deep.equal(['late 127.0.0.1', 'late 127.0.0.1']);
    });

    it('leaves the places of others alone, however many connections one address opens', async () => {
      await start({ connections: { total: 8, perPeer: 8, fresh: { burst: 100, perSecond: 1 } } });
      expect((await scene.post(review())).status).to.equal(200);
      const hogs: TLSSocket[] = [];
      for (let turn = 0; turn < 20; turn++) hogs.push(await scene.raw('', '127.0.0.2'));
      const other = await scene.raw(`${POST}Content-Length: ${review().length}\r\n\r\n${review().toString()}`);
      expect(((await once(other, 'data')) as [Buffer])[0].toString()).to.match(/^HTTP\/1\.1 200 /);
      expect((await scene.post(review())).status).to.equal(200);
      expect(await scene.page()).to.contain('vault_injection_connections 8\n');
      expect(new Set(scene.turnedAway.filter((line) => !line.startsWith('handshake')))).to.deep.equal(
        new Set(['displaced 127.0.0.2']),
      );
      for (const hog of hogs) hog.destroy();
    });
  });

  it('ends a body that comes byte by byte at its deadline, and answers others meanwhile', async () => {
    await start({ headersMs: 1_000, requestMs: 1_000 });
    const slow = await scene.raw(`${POST}Content-Length: 1000000\r\n\r\n{`);
    const dripping = setInterval(() => slow.write(' '), 10).unref();
    expect((await scene.post(review())).status).to.equal(200);
    await closing(slow);
    clearInterval(dripping);
    await becomes(async () => (await scene.page()).includes('requests_in_flight 0'));
  });

  it('answers a review although another address fills the room with unfinished bodies', async () => {
    await start({ inFlight: 3, bufferedBytes: MIB });
    const hogs = [];
    for (let turn = 0; turn < 3; turn++) {
      const hog = await scene.raw(`${POST}Content-Length: ${MIB}\r\n\r\n`, '127.0.0.2');
      hog.write(Buffer.alloc(MIB / 4, 32));
      hogs.push(hog);
    }
    await becomes(async () => (await scene.page()).includes('requests_in_flight 3'));
    expect((await scene.post(review())).status).to.equal(200);
    expect((await scene.post(review({ note: 'x'.repeat(MIB / 2 - 1000) }))).status).to.equal(200);
    for (const hog of hogs) hog.destroy();
  });
});

/** Resolves when the socket is closed, also if it was before, by whichever side. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.resume().closed) resolve();
    else socket.once('close', () => resolve());
  });
}
