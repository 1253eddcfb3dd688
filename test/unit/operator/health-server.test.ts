import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../kube/clock.ts';
import { HealthServer } from '../../../operator/health-server.ts';
import type { HealthLimits } from '../../../operator/health-server.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import { hiddenIn, HOSTILE } from '../../support/hostile-text.ts';
import { loopback } from '../../support/loopback.ts';
import { testLog } from '../../support/test-log.ts';

describe('the health server', () => {
  let server: HealthServer;
  let base: string;
  let problem: string | undefined;
  let notAfter: number | undefined;
  let collected: number;
  let turnedAway: string[];

  const start = async (limits: Partial<HealthLimits> = {}): Promise<void> => {
    turnedAway = [];
    collected = 0;
    problem = undefined;
    notAfter = undefined;
    const metrics = createWebhookMetrics();
    metrics.show({ rules: () => (collected++, 3), leafNotAfter: () => notAfter });
    const { register } = metrics;
    const checks = [
      { name: 'rules', check: () => undefined },
      { name: 'certificate', check: () => problem },
    ];
    server = new HealthServer({
      place: loopback(),
      checks,
      register,
      turnedAway: { note: (reason, address) => turnedAway.push(`${reason} ${address}`) },
      clock: systemClock,
      logger: testLog().logger,
      limits,
    });
    const { port } = await server.start();
    base = `http://127.0.0.1:${port}`;
  };
  beforeEach(() => start());
  afterEach(() => server.stop());

  const get = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await fetch(base + path, { method });
    return [response.status, await response.text()];
  };

  it('is ready when every check is', async () => {
    expect(await get('/readyz')).to.deep.equal([200, '[+] rules ok\n[+] certificate ok\nready\n']);
  });

  it('says which check fails, and why, and is alive all the same', async () => {
    problem = 'not trusted yet';
    expect(await get('/readyz')).to.deep.equal([503, '[+] rules ok\n[-] certificate: not trusted yet\nnot ready\n']);
    expect(await get('/livez')).to.deep.equal([200, 'ok\n']);
  });

  it('shows why as one line, whatever it holds', async () => {
    problem = HOSTILE;
    const [status, text] = await get('/readyz');
    expect([status, text.split('\n').length]).to.deep.equal([503, 4]);
    expect(hiddenIn(text.replaceAll('\n', ''))).to.deep.equal([]);
    expect(text.length).to.be.below(600);
  });

  it('serves metrics, without those that are not known yet', async () => {
    const [, early] = await get('/metrics');
    expect(early).to.contain('vault_injection_rules 3\n');
    expect(early).not.to.match(/^vault_injection_certificate_expiration_timestamp_seconds /m);
    notAfter = 5000;
    expect((await get('/metrics'))[1]).to.contain('vault_injection_certificate_expiration_timestamp_seconds 5\n');
  });

  it('has every series of refusals and repairs from the start', async () => {
    const [, text] = await get('/metrics');
    expect(text).to.contain('vault_injection_requests_refused_total{code="413"} 0');
    expect(text).to.contain('vault_injection_repairs_total{object="configuration"} 0');
    expect(text).to.contain('vault_injection_denials_total{reason="WorkloadTooLarge"} 0');
    expect(text).to.contain('vault_injection_review_bounds_total{bound="Waiting"} 0');
    for (const entry of ['ignore', 'fail', 'probe'])
      expect(text).to.contain(`vault_injection_review_duration_seconds_bucket{le="1",entry="${entry}"} 0`);
  });

  it('answers nothing else', async () => {
    expect((await get('/'))[0]).to.equal(404);
    expect((await get('/readyz', 'POST'))[0]).to.equal(405);
    expect(await get('/livez', 'HEAD')).to.deep.equal([200, '']);
  });

  describe('keeps answering', () => {
    /** Opens a connection from this address and sends `head`. */
    const raw = async (head: string, localAddress = '127.0.0.1'): Promise<Socket> => {
      const { port, hostname } = new URL(base);
      const socket = connect({ port: Number(port), host: hostname, localAddress }).on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(head);
      return socket.resume();
    };
    const restart = async (limits: Partial<HealthLimits>): Promise<void> => {
      await server.stop();
      await start(limits);
    };

    it('the kubelet while another address holds all places', async () => {
      await restart({ connections: { total: 4, perPeer: 4, fresh: { burst: 100, perSecond: 1 } } });
      for (let turn = 0; turn < 10; turn++) await raw('GET /livez HTTP/1.1\r\n', '127.0.0.2');
      expect(await get('/livez')).to.deep.equal([200, 'ok\n']);
      expect(new Set(turnedAway)).to.deep.equal(new Set(['displaced 127.0.0.2']));
    });

    it('and cuts off clients that send a request byte by byte, or nothing', async () => {
      await restart({ requestMs: 100 });
      const sockets = [await raw(''), await raw('GET /livez HTTP/1.1\r\nX: ')];
      const dripping = setInterval(() => sockets[1]?.write('x'), 10).unref();
      await Promise.all(sockets.map(closing));
      clearInterval(dripping);
    });

    it('and reads no body and no endless headers', async () => {
      const closed = [
        await raw('GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx'),
        await raw(`GET /livez HTTP/1.1\r\nX: ${'x'.repeat(10_000)}\r\n`),
      ];
      await Promise.all(closed.map(closing));
      expect(turnedAway).to.deep.equal(['malformed 127.0.0.1']);
    });

    it('with the last metrics, if they are asked for too often', async () => {
      await restart({ collections: { burst: 2, everyMs: 60_000 } });
      const pages = [];
      for (let turn = 0; turn < 5; turn++) pages.push(await get('/metrics'));
      expect(pages.map(([status]) => status)).to.deep.equal([200, 200, 200, 200, 200]);
      expect(collected).to.equal(3);
    });
  });
});

/** Resolves when the socket is closed, also if it was before, by whichever side. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}
