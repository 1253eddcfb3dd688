import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';

import { expect } from 'chai';

import type { MetadataAnswer, MetadataConnection, MetadataTarget } from '../../../../operator/vault/metadata-port.ts';
import { VaultFailure } from '../../../../operator/vault/metadata-port.ts';
import { NodeVaultMetadata } from '../../../../operator/vault/node-vault-metadata.ts';
import { createAuthority } from '../../../support/pki.ts';

const JWT = 'eyJ.canary-jwt';
const TOKEN = 'hvs.canary-token';
const DB = 'secret/metadata/shop/db';
const NOW = Date.parse('2026-06-01T00:00:00Z');

interface Request {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('NodeVaultMetadata, on real servers', () => {
  const closing: (() => Promise<unknown>)[] = [];
  const requests: Request[] = [];

  afterEach(async () => {
    requests.length = 0;
    for (const close of closing.splice(0)) await close();
  });

  async function listen(server: Server): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const answering =
    (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener =>
    (request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        requests.push({ line: `${request.method ?? ''} ${request.url ?? ''}`, headers: request.headers, body: text });
        response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
      });
    };

  /** With the time that it has by itself, unless the test is about its end: a busy machine is no Vault that is away. */
  function connect(target: Partial<MetadataTarget>, time: { timeoutMs?: number } = {}): MetadataConnection {
    const port = new NodeVaultMetadata({ ...time, connections: 4 });
    const connection = port.connect({ address: '', caBundle: '', serverName: '', namespace: '', ...target });
    closing.unshift(() => connection.close());
    return connection;
  }

  const vault = async (
    status: number,
    body: unknown,
    more: Partial<MetadataTarget> = {},
  ): Promise<MetadataConnection> =>
    connect({ address: `http://${await listen(createHttpServer(answering(status, body)))}`, ...more });

  /** Asserts that it fails so, and that nothing anywhere on the error holds a token. */
  async function failureOf(promise: Promise<unknown>): Promise<VaultFailure> {
    const failure: unknown = await promise.then(
      () => new Error('it succeeded'),
      (reason: unknown) => reason,
    );
    expect(failure).to.be.instanceOf(VaultFailure);
    expect(inspect(failure, { depth: null, showHidden: true })).not.to.contain('canary');
    return failure as VaultFailure;
  }

  describe('reads the newest version', () => {
    const metadata = (version: unknown, versions: object = {}): object => ({
      data: { current_version: version, custom_metadata: null, versions },
    });
    const one = (deletion_time: string, destroyed = false): object => ({ '3': { deletion_time, destroyed } });
    const cases: readonly [what: string, status: number, body: unknown, expected: MetadataAnswer][] = [
      ['a secret', 200, metadata(3, one('')), { kind: 'Version', version: 3 }],
      ['one that will be deleted', 200, metadata(3, one('2026-07-01T00:00:00Z')), { kind: 'Version', version: 3 }],
      ['one that was deleted', 200, metadata(3, one('2026-05-01T00:00:00Z')), { kind: 'Deleted' }],
      ['one that was deleted, who knows when', 200, metadata(3, one('then')), { kind: 'Deleted' }],
      ['one that was destroyed', 200, metadata(3, one('', true)), { kind: 'Deleted' }],
      ['one with metadata only', 200, metadata(0), { kind: 'Missing' }],
      ['none', 404, { errors: [] }, { kind: 'Missing' }],
      ['one that the role may not read', 403, { errors: ['permission denied'] }, { kind: 'Forbidden' }],
      ['a value of KV version 1', 200, { data: { password: 'canary' } }, { kind: 'Unexpected', status: 200 }],
      ['a version that is none', 200, metadata('3'), { kind: 'Unexpected', status: 200 }],
      ['a version that is negative', 200, metadata(-3), { kind: 'Unexpected', status: 200 }],
      ['null', 200, null, { kind: 'Unexpected', status: 200 }],
      ['a web page', 200, '<html>', { kind: 'Unexpected', status: 200 }],
      ['a mount that fails', 500, { errors: ['canary'] }, { kind: 'Unexpected', status: 500 }],
      ['an answer without end', 200, ' '.repeat(1_100_000), { kind: 'Unexpected', status: 200 }],
    ];
    for (const [what, status, body, expected] of cases) {
      it(`${what}: ${JSON.stringify(expected)}`, async () => {
        expect(await (await vault(status, body)).read(TOKEN, DB, NOW)).to.deep.equal(expected);
      });
    }

    it('with its token and namespace, by a GET of the path, segment by segment', async () => {
      const connection = await vault(200, metadata(3), { namespace: 'team' });
      await connection.read(TOKEN, 'secret/metadata/a b/c#d?e/%2e', NOW);
      expect(requests[0]).to.deep.include({ line: 'GET /v1/secret/metadata/a%20b/c%23d%3Fe/%252e', body: '' });
      expect(requests[0]?.headers).to.include({ 'x-vault-token': TOKEN, 'x-vault-namespace': 'team' });
    });

    it('of hundreds of secrets over four connections', async () => {
      const server = createHttpServer(answering(200, metadata(3)));
      let connections = 0;
      server.on('connection', () => (connections += 1));
      const connection = connect({ address: `http://${await listen(server)}` });
      await Promise.all(Array.from({ length: 200 }, (_, n) => connection.read(TOKEN, `${DB}-${n}`, NOW)));
      expect(connections).to.be.at.most(4);
    });
  });

  describe('logs in', () => {
    const login = (connection: MetadataConnection): Promise<unknown> =>
      connection.login('clusters/eu', 'operator', JWT);

    it('at the auth mount, without a token', async () => {
      const connection = await vault(200, { auth: { client_token: TOKEN, lease_duration: 600 } });
      expect(await login(connection)).to.deep.equal({ token: TOKEN, lifeMs: 600_000 });
      expect(requests[0]?.line).to.equal('POST /v1/auth/clusters/eu/login');
      expect(JSON.parse(requests[0]?.body ?? '')).to.deep.equal({ role: 'operator', jwt: JWT });
      expect(requests[0]?.headers).to.include({ 'content-type': 'application/json' });
      expect(requests[0]?.headers).not.to.have.property('x-vault-token');
    });

    it('forever if the token does not expire', async () => {
      expect(await login(await vault(200, { auth: { client_token: TOKEN, lease_duration: 0 } }))).to.have.property(
        'lifeMs',
        Infinity,
      );
    });

    const refusals: readonly [what: string, status: number, body: unknown, kind: VaultFailure['kind']][] = [
      ['a role that Vault does not know', 400, { errors: [`invalid role name ${TOKEN}`] }, 'LoginRefused'],
      ['a token that it does not take', 403, { errors: [`permission denied ${JWT}`] }, 'LoginRefused'],
      ['a mount that is not there', 404, { errors: [] }, 'LoginRefused'],
      ['an answer without a token', 200, { auth: null }, 'LoginRefused'],
      ['a token that is no header', 200, { auth: { client_token: 'canary\r\nx: y' } }, 'LoginRefused'],
      ['a sealed Vault', 503, { errors: ['Vault is sealed'] }, 'Away'],
      ['a Vault that is busy', 429, { errors: [] }, 'Away'],
    ];
    for (const [what, status, body, kind] of refusals) {
      it(`not, with ${what}: ${kind}`, async () => {
        expect((await failureOf(login(await vault(status, body)))).kind).to.equal(kind);
      });
    }
  });

  it('revokes its own token, and does not mind if that fails', async () => {
    await (await vault(403, { errors: ['permission denied'] })).revoke(TOKEN);
    expect(requests[0]).to.include({ line: 'POST /v1/auth/token/revoke-self' });
    expect(requests[0]?.headers).to.include({ 'x-vault-token': TOKEN });
    await connect({ address: 'http://127.0.0.1:1' }).revoke(TOKEN);
  });

  describe('treats a Vault as down', () => {
    for (const status of [412, 429, 472, 473, 502, 503, 504]) {
      it(`that answers with HTTP ${status}`, async () => {
        const failure = await failureOf((await vault(status, { errors: ['canary'] })).read(TOKEN, DB, NOW));
        expect(failure.kind).to.equal('Away');
      });
    }

    it('that redirects, without following it', async () => {
      const elsewhere = await listen(createHttpServer(answering(200, {})));
      const redirect = answering(307, '', { location: `http://${elsewhere}/v1/${DB}` });
      const address = `http://${await listen(createHttpServer(redirect))}`;
      expect((await failureOf(connect({ address }).read(TOKEN, DB, NOW))).message).to.contain('redirect');
      expect(requests).to.have.length(1);
    });

    it('that does not answer in time or at all', async () => {
      const silent = `http://${await listen(createHttpServer(() => undefined))}`;
      const hurried = connect({ address: silent }, { timeoutMs: 300 });
      expect((await failureOf(hurried.read(TOKEN, DB, NOW))).message).to.contain('in time');
      const nobody = 'http://127.0.0.1:1';
      expect((await failureOf(connect({ address: nobody }).login('k', 'r', JWT))).message).to.contain('cannot connect');
    });

    it('whose certificate is not from the policy’s authority, before any token is sent', async () => {
      const [own, other] = await Promise.all([createAuthority('own'), createAuthority('other')]);
      const { certificate, key } = await own.server('vault', ['127.0.0.1']);
      const server = createHttpsServer({ cert: certificate, key }, answering(200, {}));
      const address = `https://${await listen(server)}`;
      const failure = await failureOf(connect({ address, caBundle: other.certificate }).login('k', 'r', JWT));
      expect(failure.message).to.contain('caBundle');
      expect(requests).to.deep.equal([]);
      await connect({ address, caBundle: own.certificate }).read(TOKEN, DB, NOW);
      expect(requests).to.have.length(1);
    });
  });
});
