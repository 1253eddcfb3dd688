import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { ApiClient } from '../../../kube/api-client.ts';
import { loadKubeConfig, type PooledKubeConfig } from '../../../kube/kube-config.ts';
import { ApiError } from '../../../kube/object-client.ts';
import { kubeconfigFor } from '../../support/kubeconfig.ts';
import { ListWatchServer } from '../../support/list-watch-server.ts';
import { eventually, ManualClock } from '../../support/manual-clock.ts';

const THINGS = { group: 'example.dev', version: 'v1', plural: 'things', namespace: 'shop' };
const MINUTE = 60_000;

describe('credentials that are renewed', () => {
  let server: ListWatchServer;
  let folder: string;
  let clock: ManualClock;
  let kubeConfig: PooledKubeConfig | undefined;

  before(async () => (server = await ListWatchServer.start()));
  after(() => server.goAway());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'exec-plugin-'));
    clock = new ManualClock();
    server.requests.splice(0);
    server.letInOnly('token-1');
  });
  afterEach(async () => {
    await kubeConfig?.close();
    kubeConfig = undefined;
    rmSync(folder, { recursive: true });
  });

  function clientOf(raw: Readonly<Record<string, unknown>>, options: { timeoutMs?: number } = {}): ApiClient {
    const file = join(folder, 'kubeconfig');
    writeFileSync(file, kubeconfigFor(server.cluster, { raw }));
    kubeConfig = loadKubeConfig({ file, clock }, {});
    return new ApiClient({ kubeConfig, userAgent: 'test', ...options });
  }

  /** A client whose plugin is this shell script. It also notes each run in the file `runs`. */
  function clientWith(script: string, more: object = {}, options: { timeoutMs?: number } = {}): ApiClient {
    const plugin = join(folder, 'get-token');
    writeFileSync(plugin, `#!/bin/sh\ncd ${folder}\necho run >> runs\n${script}\n`);
    chmodSync(plugin, 0o755);
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './get-token', ...more };
    return clientOf({ exec }, options);
  }

  const runs = (): number => {
    const file = join(folder, 'runs');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0;
  };

  /** Prints the token in the file `token`, or token-1, which counts until `expires`. */
  const printing = (expires?: number): string => {
    const until = expires === undefined ? '' : `,"expirationTimestamp":"${new Date(expires).toISOString()}"`;
    return `token=$(cat token 2>/dev/null || echo token-1)
      printf '{"kind":"ExecCredential","status":{"token":"%s"${until}}}' "$token"`;
  };
  const nextToken = (token: string): void => writeFileSync(join(folder, 'token'), token);

  async function failure(client: ApiClient): Promise<ApiError> {
    const error: unknown = await client.list(THINGS).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(ApiError);
    return error as ApiError;
  }

  describe('an exec plugin', () => {
    it('runs once for all requests that wait for it', async () => {
      const client = clientWith(`sleep 0.1; ${printing()}`);
      await Promise.all(Array.from({ length: 8 }, () => client.list(THINGS)));
      await client.list(THINGS);
      expect(runs()).to.equal(1);
      expect(server.requests).to.have.length(9);
    });

    it('runs again when its credential expires, and not before', async () => {
      const client = clientWith(printing(clock.now() + 10 * MINUTE));
      await client.list(THINGS);
      await clock.advance(9 * MINUTE);
      await client.list(THINGS);
      expect(runs()).to.equal(1);
      await clock.advance(MINUTE);
      await client.list(THINGS);
      expect(runs()).to.equal(2);
    });

    it('does not run for each request if its clock is far behind', async () => {
      const client = clientWith(printing(clock.now() - 60 * MINUTE));
      for (let call = 0; call < 3; call += 1) await client.list(THINGS);
      expect(runs()).to.equal(1);
    });

    it('renews a token that the server refuses, and the call is repeated', async () => {
      const client = clientWith(printing());
      await client.list(THINGS);
      nextToken('token-2');
      server.letInOnly('token-2');
      await clock.advance(MINUTE);
      await Promise.all(Array.from({ length: 4 }, () => client.list(THINGS)));
      expect(runs()).to.equal(2);
    });

    it('renews it for a watch too', async () => {
      const client = clientWith(printing());
      const { metadata } = await client.list(THINGS);
      nextToken('token-2');
      server.letInOnly('token-2');
      await clock.advance(MINUTE);
      const over = new AbortController();
      const { resourceVersion } = metadata;
      const watch = client.watch(THINGS, { resourceVersion, timeoutSeconds: 5, signal: over.signal });
      const next = watch[Symbol.asyncIterator]().next();
      await eventually(() => expect(server.openWatches).to.equal(1));
      over.abort();
      await next;
    });

    it('repeats a call once, and runs rarely, where the server refuses every token', async () => {
      const client = clientWith(printing());
      await client.list(THINGS);
      server.letInOnly('another');
      await clock.advance(MINUTE);
      for (let call = 0; call < 5; call += 1) expect((await failure(client)).code).to.equal(401);
      expect(runs()).to.equal(2);
      expect(server.requests, 'one that worked, one that was repeated, four that were not').to.have.length(7);
    });

    it('learns that there is no terminal, and about the cluster if it asks for that', async () => {
      const client = clientWith(`printf %s "$KUBERNETES_EXEC_INFO" > info; ${printing()}`, {
        provideClusterInfo: true,
      });
      await client.list(THINGS);
      const info = JSON.parse(readFileSync(join(folder, 'info'), 'utf8')) as {
        apiVersion: string;
        spec: { interactive: boolean; cluster: Record<string, unknown> };
      };
      expect(info.apiVersion).to.equal('client.authentication.k8s.io/v1');
      expect(info.spec.interactive).to.equal(false);
      expect(info.spec.cluster.server).to.equal(server.cluster.server);
      const authority = String(info.spec.cluster['certificate-authority-data']);
      expect(Buffer.from(authority, 'base64').toString()).to.equal(server.cluster.caPem);
    });

    it('gets the variables and arguments of the kubeconfig', async () => {
      const script = `printf '{"status":{"token":"%s"}}' "$PREFIX-$1"`;
      await clientWith(script, { env: [{ name: 'PREFIX', value: 'token' }], args: ['1'] }).list(THINGS);
      expect(server.requests[0]?.headers.authorization).to.equal('Bearer token-1');
    });

    describe('without a credential', () => {
      const NAMED =
        'GET /apis/example.dev/v1/namespaces/shop/things: no credentials: the exec plugin "get-token" of the kubeconfig';
      const broken: Readonly<Record<string, readonly [script: string, says: RegExp]>> = {
        'that fails': ['echo s3cret; echo s3cret >&2; exit 7', /ended with status 7: run its command by hand/],
        'that is killed': ['kill -TERM $$', /was ended by SIGTERM/],
        'that prints something else': ['echo s3cret', /printed no ExecCredential with a token/],
        'that prints an empty token': [`echo '{"status":{"token":""}}'`, /printed no ExecCredential with a token/],
        'that prints a certificate without its key': [
          `echo '{"status":{"clientCertificateData":"s3cret"}}'`,
          /printed no ExecCredential/,
        ],
        'that prints without end': ['yes s3cret', /was ended by SIGKILL/],
      };
      for (const [what, [script, says]] of Object.entries(broken)) {
        it(`${what}: says which plugin and how it ended, not what it printed`, async () => {
          const { reason, message } = await failure(clientWith(script));
          expect(reason).to.equal('NoCredentials');
          expect(message.startsWith(NAMED), message).to.equal(true);
          expect(message).to.match(says).and.not.to.contain('s3cret').and.not.to.contain(folder);
        });
      }

      it('that does not exist: says which', async () => {
        const { message } = await failure(clientOf({ exec: { command: 'no-such-plugin', apiVersion: 'v1' } }));
        expect(message).to.contain('"no-such-plugin" of the kubeconfig cannot be started (ENOENT): install it');
      });

      it('that wants a terminal: says so', async () => {
        const { message } = await failure(clientWith(printing(), { interactiveMode: 'Always' }));
        expect(message).to.contain('"get-token" of the kubeconfig wants a terminal');
        expect(runs()).to.equal(0);
      });

      it('that hangs: ends the call in time', async () => {
        const { reason, message } = await failure(clientWith('sleep 600', {}, { timeoutMs: 100 }));
        expect(reason).to.equal('Timeout');
        expect(message).to.contain('no credentials: the exec plugin of the kubeconfig has not ended yet');
      });

      it('is run again for the next call', async () => {
        const client = clientWith(`[ -e token ] || exit 1; ${printing()}`);
        await failure(client);
        nextToken('token-1');
        await client.list(THINGS);
        expect(runs()).to.equal(2);
      });
    });

    it('is killed with all that it has started when the client closes', async () => {
      const client = clientWith('sleep 600 & echo $! > child; wait');
      const error = failure(client);
      await eventually(() => expect(existsSync(join(folder, 'child'))).to.equal(true));
      await kubeConfig?.close();
      expect((await error).message).to.contain('"get-token" of the kubeconfig was stopped');
      const child = Number(readFileSync(join(folder, 'child'), 'utf8'));
      await eventually(() => expect(() => process.kill(child, 0)).to.throw('ESRCH'));
    });
  });

  describe('a token file', () => {
    const write = (token: string): void => writeFileSync(join(folder, 'sa-token'), `${token}\n`);

    it('is read once a minute', async () => {
      write('token-1');
      const client = clientOf({ tokenFile: 'sa-token' });
      await client.list(THINGS);
      write('token-2');
      await client.list(THINGS);
      server.letInOnly('token-2');
      await clock.advance(MINUTE);
      await client.list(THINGS);
      expect(server.requests.map(({ headers }) => headers.authorization)).to.deep.equal([
        'Bearer token-1',
        'Bearer token-1',
        'Bearer token-2',
      ]);
    });

    it('is read again when the server refuses the token, and the call is repeated', async () => {
      write('token-1');
      const client = clientOf({ tokenFile: 'sa-token' });
      await client.list(THINGS);
      write('token-2');
      server.letInOnly('token-2');
      await client.list(THINGS);
      expect(server.requests).to.have.length(3);
    });

    it('that has not changed is no reason to repeat a call', async () => {
      write('old');
      expect((await failure(clientOf({ tokenFile: 'sa-token' }))).code).to.equal(401);
      expect(server.requests).to.have.length(1);
    });

    it('that cannot be read is said', async () => {
      const { message } = await failure(clientOf({ tokenFile: 'sa-token' }));
      expect(message).to.contain('no credentials: a file that the kubeconfig names cannot be read (ENOENT)');
    });
  });

  it('a token in the kubeconfig itself cannot be renewed: its call is not repeated', async () => {
    expect((await failure(clientOf({ token: 'old' }))).code).to.equal(401);
    expect(server.requests).to.have.length(1);
  });
});
