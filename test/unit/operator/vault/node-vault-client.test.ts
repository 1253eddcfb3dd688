import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { inspect } from 'node:util';

import { expect } from 'chai';

import { CheckHosts } from '../../../../operator/vault/check-hosts.ts';
import { NodeVaultClient } from '../../../../operator/vault/node-vault-client.ts';
import type { VaultHealth, VaultTarget } from '../../../../operator/vault/vault-port.ts';
import type { Authority } from '../../../support/pki.ts';
import { createAuthority } from '../../../support/pki.ts';

const ACTIVE = { initialized: true, sealed: false, standby: false, version: '1.21.1' };

describe('NodeVaultClient, on real TLS servers', () => {
  const servers: { server: Server; sockets: Set<Socket> }[] = [];
  const requests: { url: string; headers: IncomingMessage['headers'] }[] = [];
  let authority: Authority;

  before(async () => {
    authority = await createAuthority('vault test');
  });

  afterEach(async () => {
    requests.length = 0;
    for (const { server, sockets } of servers.splice(0)) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  async function listen(server: Server): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    servers.push({ server, sockets });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  const answering =
    (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener =>
    (request, response) => {
      requests.push({ url: request.url ?? '', headers: request.headers });
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };

  /** A Vault of the test's authority, whose certificate names 127.0.0.1 (or `names`). */
  async function vault(listener: RequestListener, names = ['127.0.0.1']): Promise<VaultTarget> {
    const { certificate, key } = await authority.server('vault', names);
    const port = await listen(createHttpsServer({ cert: certificate, key }, listener));
    return { address: `https://127.0.0.1:${port}`, caBundle: authority.certificate, serverName: '' };
  }

  /** With the time that it has by itself, unless the test is about its end: a busy machine is no Vault that is away. */
  const check = (target: VaultTarget, time: { timeoutMs?: number } = {}): Promise<VaultHealth> =>
    new NodeVaultClient({ ...time, hosts: new CheckHosts('127.0.0.1,localhost,*') }).health(target);

  describe('that the settings do not name', () => {
    const ask = (target: VaultTarget, setting: string): Promise<VaultHealth> =>
      new NodeVaultClient({ hosts: new CheckHosts(setting) }).health(target);

    it('is not asked at a loopback address, as such or as what a name resolves to', async () => {
      const target = await vault(answering(200, ACTIVE), ['127.0.0.1', 'localhost']);
      const named = { ...target, address: target.address.replace('127.0.0.1', 'localhost') };
      for (const one of [target, named]) {
        const { status, reason, message } = await ask(one, '*');
        expect([status, reason]).to.deep.equal(['Unknown', 'VaultNotChecked']);
        expect(message).to.equal(
          `the health of ${new URL(one.address).host} is not checked: it is at an address that is only asked if the setting vaultCheckHosts names the host`,
        );
      }
      expect(requests).to.deep.equal([]);
      expect((await ask(named, 'localhost')).reason).to.equal('VaultReachable');
    });

    it('is not asked if checks are turned off', async () => {
      const target = await vault(answering(200, ACTIVE));
      expect((await ask(target, 'none')).reason).to.equal('VaultNotChecked');
      expect(requests).to.deep.equal([]);
    });
  });

  describe('what Vault says', () => {
    const cases: readonly { what: string; status: number; body: unknown; expected: [string, string] }[] = [
      { what: 'active', status: 200, body: ACTIVE, expected: ['True', 'VaultReachable'] },
      { what: 'a standby', status: 429, body: { ...ACTIVE, standby: true }, expected: ['True', 'VaultStandby'] },
      {
        what: 'a performance standby',
        status: 473,
        body: { ...ACTIVE, standby: true },
        expected: ['True', 'VaultStandby'],
      },
      { what: 'sealed', status: 503, body: { ...ACTIVE, sealed: true }, expected: ['False', 'VaultSealed'] },
      {
        what: 'not initialized',
        status: 501,
        body: { initialized: false, sealed: true },
        expected: ['False', 'VaultNotInitialized'],
      },
      {
        what: 'a web page',
        status: 200,
        body: '<html>token s.abc</html>',
        expected: ['False', 'VaultAnswerUnexpected'],
      },
      {
        what: 'another service',
        status: 404,
        body: { errors: ['s.abc'] },
        expected: ['False', 'VaultAnswerUnexpected'],
      },
      { what: 'a load balancer without servers', status: 503, body: '', expected: ['False', 'VaultAnswerUnexpected'] },
      {
        what: 'an endless page',
        status: 200,
        body: ' '.repeat(200_000) + JSON.stringify(ACTIVE),
        expected: ['False', 'VaultAnswerUnexpected'],
      },
    ];
    for (const { what, status, body, expected } of cases) {
      it(`${what}: ${expected.join('/')}`, async () => {
        const health = await check(await vault(answering(status, body)));
        expect([health.status, health.reason]).to.deep.equal(expected);
        expect(health.message).not.to.contain('s.abc');
      });
    }

    it('is reported with the status if it is not Vault’s', async () => {
      const target = await vault(answering(404, { errors: [] }));
      const { host } = new URL(target.address);
      expect((await check(target)).message).to.equal(`${host} answers with HTTP 404, but is not a Vault`);
    });

    it('is asked for at sys/health, below the path of the address', async () => {
      const target = await vault(answering(200, ACTIVE));
      await check({ ...target, address: `${target.address}/secrets/` });
      expect(requests.map(({ url }) => url)).to.deep.equal(['/secrets/v1/sys/health']);
    });

    it('may come without TLS, if the address is http', async () => {
      const port = await listen(createHttpServer(answering(200, ACTIVE)));
      expect(await check({ address: `http://127.0.0.1:${port}`, caBundle: '', serverName: '' })).to.include({
        reason: 'VaultReachable',
      });
    });
  });

  describe('the environment of the operator', () => {
    const set = {
      VAULT_SKIP_VERIFY: 'false',
      VAULT_TOKEN: 'hvs.operator',
      VAULT_NAMESPACE: 'ns',
      VAULT_PREFIX: '/p',
      VAULT_ADDR: 'http://a',
    };
    const proxies = {
      HTTPS_PROXY: 'http://127.0.0.1:1',
      HTTP_PROXY: 'http://127.0.0.1:1',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    };
    const before = { ...process.env };

    beforeEach(() => Object.assign(process.env, set, proxies));
    afterEach(() => {
      for (const name of Object.keys({ ...set, ...proxies })) {
        if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = before[name];
      }
    });

    it('does not leak into the request, and no proxy is asked', async () => {
      const health = await check(await vault(answering(200, ACTIVE)));
      expect(health.reason).to.equal('VaultReachable');
      expect(requests.map(({ url }) => url)).to.deep.equal(['/v1/sys/health']);
      expect(requests[0]?.headers).not.to.have.any.keys('x-vault-token', 'x-vault-namespace');
    });

    it('does not turn verification off', async () => {
      const health = await check({ ...(await vault(answering(200, ACTIVE))), caBundle: '' });
      expect([health.status, health.reason]).to.deep.equal(['False', 'VaultTLSFailed']);
      expect(requests).to.deep.equal([]);
    });
  });

  describe('TLS', () => {
    it('needs the CA, and says which field it goes into', async () => {
      const { reason, message } = await check({ ...(await vault(answering(200, ACTIVE))), caBundle: '' });
      expect(reason).to.equal('VaultTLSFailed');
      expect(message).to.match(/set spec.vault.tls.caBundle/);
    });

    it('rejects another CA, and says that the bundle is the wrong one', async () => {
      const other = await createAuthority('vault test');
      const { reason, message } = await check({
        ...(await vault(answering(200, ACTIVE))),
        caBundle: other.certificate,
      });
      expect(reason).to.equal('VaultTLSFailed');
      expect(message).to.match(/not signed by a CA in spec.vault.tls.caBundle/);
    });

    it('rejects another name, and says which field it goes into', async () => {
      const { reason, message } = await check(await vault(answering(200, ACTIVE), ['vault.example']));
      expect(reason).to.equal('VaultTLSFailed');
      expect(message).to.match(/set spec.vault.tls.serverName/);
    });

    it('verifies the server name that the policy gives', async () => {
      const target = await vault(answering(200, ACTIVE), ['vault.example']);
      expect((await check({ ...target, serverName: 'vault.example' })).reason).to.equal('VaultReachable');
      expect((await check({ ...target, serverName: 'other.example' })).reason).to.equal('VaultTLSFailed');
    });

    it('accepts any authority of a bundle of several', async () => {
      const target = await vault(answering(200, ACTIVE));
      const other = await createAuthority('other');
      expect((await check({ ...target, caBundle: `${other.certificate}\n${target.caBundle}` })).reason).to.equal(
        'VaultReachable',
      );
    });

    it('says so when the server speaks none', async () => {
      const port = await listen(createHttpServer(answering(200, ACTIVE)));
      const { reason, message } = await check({ address: `https://127.0.0.1:${port}`, caBundle: '', serverName: '' });
      expect(reason).to.equal('VaultTLSFailed');
      expect(message).to.match(/does not speak TLS/);
    });
  });

  describe('no answer', () => {
    const HURRIED = { timeoutMs: 300 };

    it('in time', async () => {
      expect((await check(await vault(() => undefined), HURRIED)).reason).to.equal('VaultTimeout');
    });

    it('in time, not even a handshake', async () => {
      const port = await listen(createTcpServer(() => undefined));
      const target = { address: `https://127.0.0.1:${port}`, caBundle: '', serverName: '' };
      expect((await check(target, HURRIED)).reason).to.equal('VaultTimeout');
    });

    it('in time, though it drips', async () => {
      const target = await vault((_, response) => {
        response.writeHead(200);
        const drip = setInterval(() => response.write(' '), 50);
        response.on('close', () => clearInterval(drip));
      });
      expect((await check(target, HURRIED)).reason).to.equal('VaultTimeout');
    });

    it('because nobody listens', async () => {
      const port = await listen(createTcpServer(() => undefined));
      await new Promise((resolve) => servers.splice(0)[0]?.server.close(resolve));
      const { reason, message } = await check({ address: `https://127.0.0.1:${port}`, caBundle: '', serverName: '' });
      expect(reason).to.equal('VaultUnreachable');
      expect(message).to.equal(`cannot connect to 127.0.0.1:${port} (ECONNREFUSED)`);
    });

    it('because the connection is cut', async () => {
      const { reason } = await check(await vault((request) => request.socket.destroy()));
      expect(reason).to.equal('VaultUnreachable');
    });

    it('because the name does not resolve', async () => {
      const { reason, message } = await check({ address: 'https://vault.invalid:8200', caBundle: '', serverName: '' });
      expect(reason).to.equal('VaultNameUnknown');
      expect(message).to.match(/vault.invalid:8200 does not resolve/);
    });
  });

  it('follows no redirect', async () => {
    const elsewhere = await vault(answering(200, ACTIVE));
    const target = await vault(answering(307, '', { location: `${elsewhere.address}/v1/sys/health?token=s.abc` }));
    const health = await check(target);
    expect(health.reason).to.equal('VaultAnswerUnexpected');
    expect(health.message)
      .to.match(/redirect/)
      .and.not.to.contain('s.abc');
    expect(requests).to.have.length(1);
  });

  it('returns nothing but three short texts, whatever went wrong', async () => {
    const health = await check({ ...(await vault(answering(200, ACTIVE))), caBundle: '' });
    expect(Object.keys(health).sort()).to.deep.equal(['message', 'reason', 'status']);
    expect(inspect(health, { depth: null, showHidden: true }).length).to.be.lessThan(600);
  });
});
