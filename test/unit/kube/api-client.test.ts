import { expect } from 'chai';

import type { RawObject } from '../../../core/json.ts';
import { oversizedOf } from '../../../core/oversized.ts';
import { ApiClient } from '../../../kube/api-client.ts';
import type { PooledKubeConfig } from '../../../kube/kube-config.ts';
import type { KubernetesObject, Resource } from '../../../core/object.ts';
import type { WatchEvent } from '../../../kube/object-client.ts';
import { ApiError } from '../../../kube/object-client.ts';
import { ListWatchServer } from '../../support/list-watch-server.ts';
import { eventually } from '../../support/manual-clock.ts';

const THINGS = { group: 'example.dev', version: 'v1', plural: 'things', namespace: 'shop' };
const THING: KubernetesObject = {
  apiVersion: 'example.dev/v1',
  kind: 'Thing',
  metadata: { name: 'a', namespace: 'shop' },
};

function stoppable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

describe('ApiClient', () => {
  let server: ListWatchServer;
  let kubeConfig: PooledKubeConfig;
  let client: ApiClient;

  beforeEach(async () => {
    server = await ListWatchServer.start();
    kubeConfig = server.kubeConfig();
    client = new ApiClient({ kubeConfig, userAgent: 'vault-injection-operator/1.0', timeoutMs: 1_000 });
  });

  afterEach(async () => {
    await kubeConfig.close();
    await server.goAway().catch(() => undefined);
  });

  async function errorOf(promise: Promise<unknown>): Promise<ApiError> {
    const error: unknown = await promise.then(
      () => new Error('it succeeded'),
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(ApiError);
    return error as ApiError;
  }

  it('sends its token and its name, and keeps unknown fields', async () => {
    server.put('a', { future: { field: ['x'] } });
    const { items } = await client.list(THINGS);
    expect(items[0]).to.have.deep.property('future', { field: ['x'] });
    expect(server.requests[0]?.url.pathname).to.equal('/apis/example.dev/v1/namespaces/shop/things');
    expect(server.requests[0]?.headers).to.include({
      authorization: 'Bearer the-token',
      'user-agent': 'vault-injection-operator/1.0',
    });
  });

  it('applies as a dry run where it is asked to', async () => {
    server.failNext(201, 2, {}, THING);
    await client.apply(THINGS, THING, { fieldManager: 'me', dryRun: true });
    await client.apply(THINGS, THING, { fieldManager: 'me' });
    const searches = server.requests.map(({ url }) => url.search);
    expect(searches).to.deep.equal(['?fieldManager=me&force=true&dryRun=All', '?fieldManager=me&force=true']);
  });

  it('reuses its connections: at most two TLS handshakes for a hundred calls in a row', async () => {
    for (let i = 0; i < 100; i += 1) await client.list(THINGS);
    expect(server.handshakes).to.be.within(1, 2);
  });

  describe('with objects that are long', () => {
    beforeEach(() => {
      client = new ApiClient({ kubeConfig, userAgent: 'x', pageLimits: { page: 3_000, most: 30_000 } });
    });

    /** Lists all pages; returns how many objects each brought. */
    async function pagesOf(limit: number): Promise<number[]> {
      const pages: number[] = [];
      let next: string | undefined;
      do {
        const page = await client.list(THINGS, { limit, ...(next === undefined ? {} : { continue: next }) });
        pages.push(page.items.length);
        next = page.metadata.continue;
      } while (next !== undefined);
      return pages;
    }

    it('lists fewer at a time, so that no page is too long, and more again when they are short', async () => {
      for (let i = 0; i < 30; i += 1) server.put(`a${10 + i}`, { text: 'x'.repeat(300) });
      for (let i = 0; i < 60; i += 1) server.put(`b${10 + i}`);
      const pages = await pagesOf(50);
      expect(pages.reduce((sum, count) => sum + count)).to.equal(90);
      expect(Math.max(...pages.slice(0, 4))).to.be.lessThan(8);
      expect(Math.max(...pages)).to.be.greaterThan(10);
      expect(server.lists.length).to.be.lessThan(30);
    });

    it('lists one at a time if each is longer than a page', async () => {
      for (let i = 0; i < 3; i += 1) server.put(`a${i}`, { text: 'x'.repeat(4_000) });
      expect(await pagesOf(50)).to.deep.equal([1, 1, 1]);
    });

    it('gives up a list that is not to be divided and too long, and says so without any of it', async () => {
      for (let i = 0; i < 12; i += 1) server.put(`a${i}`, { text: 'x'.repeat(3_000) });
      const error = await errorOf(client.list(THINGS));
      expect(error).to.include({ code: 0, reason: 'AnswerTooLong' });
      expect(error.message).to.match(
        /^GET \/apis\/example\.dev\/v1\/namespaces\/shop\/things: the answer is longer than \d+ bytes$/,
      );
    });
  });

  describe('with objects of somebody else that have too much in them', () => {
    const TRIMMED = { ...THINGS, trimmed: true } as const;
    const empties = Array.from({ length: 100_000 }, () => ({}));
    const isHead = (object: object): boolean => oversizedOf(object as RawObject) !== undefined;

    it('reads them by their heads alone, and the others whole', async () => {
      server.put('large', { list: empties });
      server.put('small', { list: [{}] });
      const { items } = await client.list(TRIMMED);
      expect(items.map((item) => [item.metadata.name, isHead(item)])).to.deep.equal([
        ['large', true],
        ['small', false],
      ]);
      expect(items[1]).to.have.property('list').that.deep.equals([{}]);
      const isReadWhole = async (resource: Resource): Promise<boolean> => {
        server.failNext(200, 1, {}, { ...THING, list: empties });
        return !isHead((await client.get(resource, 'large')) ?? {});
      };
      expect([await isReadWhole(TRIMMED), await isReadWhole(THINGS)]).to.deep.equal([false, true]);
    });

    it('asks for fewer at a time when a page has too much in it, however short it is', async () => {
      for (let i = 0; i < 8; i += 1) server.put(`a${i}`, { list: empties.slice(0, 31_000) });
      const page = await client.list(TRIMMED, { limit: 50 });
      expect(page.items).to.have.lengthOf.lessThan(8);
      expect(page.items.map(isHead)).to.not.include(true);
    });
  });

  it('adds kind and apiVersion to the items of a list that have none', async () => {
    server.failNext(
      200,
      1,
      {},
      {
        kind: 'SecretList',
        apiVersion: 'v1',
        metadata: { resourceVersion: '1' },
        items: [{ metadata: { name: 's' } }],
      },
    );
    const { items } = await client.list({ group: '', version: 'v1', plural: 'secrets' });
    expect(items).to.deep.equal([{ kind: 'Secret', apiVersion: 'v1', metadata: { name: 's' } }]);
  });

  it('asks for metadata alone if that is all that is wanted', async () => {
    server.put('a');
    const { metadata } = await client.list(THINGS, { metadataOnly: true });
    const { signal, abort } = stoppable();
    const { resourceVersion } = metadata;
    const watch = client.watch(THINGS, { resourceVersion, timeoutSeconds: 5, signal, metadataOnly: true });
    const first = watch[Symbol.asyncIterator]().next();
    server.put('b');
    await first;
    abort();
    expect(server.requests.map(({ headers }) => headers.accept)).to.deep.equal([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ]);
  });

  it('applies with force under its field manager, to the subresource', async () => {
    server.put('a');
    const applied = await client.apply(
      THINGS,
      { ...THING, status: { ok: true } },
      { fieldManager: 'me-status', subresource: 'status' },
    );
    expect(applied.status).to.deep.equal({ ok: true });
    expect(server.applied[0]?.path).to.equal(
      '/apis/example.dev/v1/namespaces/shop/things/a/status?fieldManager=me-status&force=true',
    );
    expect(server.requests.at(-1)?.method).to.equal('PATCH');
    expect(server.requests.at(-1)?.headers['content-type']).to.equal('application/apply-patch+yaml');
  });

  it('patches by merge under its field manager', async () => {
    server.put('a');
    const changes = { metadata: { annotations: { gone: null, there: 'x' } } };
    await client.patch(THINGS, 'a', changes, { fieldManager: 'me' });
    const request = server.requests.at(-1);
    expect(request?.method).to.equal('PATCH');
    expect(request?.headers['content-type']).to.equal('application/merge-patch+json');
    expect(server.applied[0]).to.deep.equal({
      path: '/apis/example.dev/v1/namespaces/shop/things/a?fieldManager=me',
      body: changes,
    });
  });

  it('writes where the object says when the resource names no namespace', async () => {
    server.put('a');
    await client.replace({ group: 'example.dev', version: 'v1', plural: 'things' }, THING);
    expect(server.requests.at(-1)?.url.pathname).to.equal('/apis/example.dev/v1/namespaces/shop/things/a');
  });

  describe('asks for tokens of a ServiceAccount', () => {
    const createToken = (): Promise<string> =>
      client.createToken('system', 'operator', { audience: 'vault', expirationSeconds: 600 });

    it('for one audience', async () => {
      server.failNext(201, 1, {}, { kind: 'TokenRequest', status: { token: 'eyJ.token' } });
      expect(await createToken()).to.equal('eyJ.token');
      const request = server.requests[0];
      expect(`${request?.method ?? ''} ${request?.url.pathname ?? ''}`).to.equal(
        'POST /api/v1/namespaces/system/serviceaccounts/operator/token',
      );
    });

    it('and says nothing of one that it cannot use', async () => {
      server.failNext(201, 1, {}, { kind: 'TokenRequest', status: { tokens: 'eyJ.token' } });
      expect((await errorOf(createToken())).message).not.to.contain('eyJ');
      server.failNext(403, 1, {}, { kind: 'Status', reason: 'Forbidden', message: 'not eyJ.token' });
      expect(await errorOf(createToken())).to.include({
        code: 403,
        message: 'POST /api/v1/namespaces/system/serviceaccounts/operator/token: 403 Forbidden',
      });
    });
  });

  it('returns undefined for a missing object, and treats it as deleted', async () => {
    server.failNext(404, 2);
    expect(await client.get(THINGS, 'nobody')).to.equal(undefined);
    await client.delete(THINGS, 'nobody');
  });

  describe('errors', () => {
    it('carry code, reason and the short message of the server', async () => {
      server.failNext(403);
      const error = await errorOf(client.list(THINGS));
      expect(error).to.include({ code: 403, reason: 'Forbidden' });
      expect(error.message).to.equal(
        'GET /apis/example.dev/v1/namespaces/shop/things: 403 Forbidden: the fake says 403',
      );
    });

    it('carry what Retry-After asks for, in milliseconds', async () => {
      server.failNext(429, 1, { 'retry-after': '3' });
      expect((await errorOf(client.list(THINGS))).retryAfterMs).to.equal(3_000);
    });

    it('do not repeat what the server says about a Secret', async () => {
      server.failNext(422, 1, {}, { kind: 'Status', reason: 'Invalid', message: 'Invalid value: "hunter2"' });
      const secrets = { group: '', version: 'v1', plural: 'secrets', namespace: 'shop' };
      const error = await errorOf(client.create(secrets, { ...THING, kind: 'Secret' }));
      expect(error.message).to.equal('POST /api/v1/namespaces/shop/secrets: 422 Invalid');
    });

    describe('name what is missing:', () => {
      const status = (code: number, more: object): unknown => ({ kind: 'Status', status: 'Failure', code, ...more });
      const forbidden = (where: string): unknown =>
        status(403, {
          reason: 'Forbidden',
          message: `secrets "s3cret" is forbidden: User "me" cannot get resource "secrets" in API group "" ${where}`,
        });
      const secrets = { group: '', version: 'v1', plural: 'secrets', namespace: 'ops' };

      it('the namespace', async () => {
        const details = { name: 'ops', kind: 'namespaces' };
        server.failNext(
          404,
          1,
          {},
          status(404, { reason: 'NotFound', message: 'namespaces "ops" not found', details }),
        );
        const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } };
        expect((await errorOf(client.create(secrets, object))).lack).to.deep.equal({ kind: 'Namespace', name: 'ops' });
      });

      it('the CRD', async () => {
        server.failNext(404, 1, {}, '404 page not found');
        const lack = { kind: 'Resource', group: 'example.dev', plural: 'things' };
        expect((await errorOf(client.list(THINGS))).lack).to.deep.equal(lack);
      });

      it('nothing where an object does not exist', async () => {
        const details = { name: 'a', group: 'example.dev', kind: 'things' };
        server.failNext(404, 1, {}, status(404, { reason: 'NotFound', details }));
        expect((await errorOf(client.patch(THINGS, 'a', {}, { fieldManager: 'x' }))).lack).to.equal(undefined);
      });

      it('the right, in a namespace and in the cluster, also for a Secret', async () => {
        const lack = { kind: 'Right', verb: 'get', group: '', resource: 'secrets' };
        server.failNext(403, 1, {}, forbidden('in the namespace "ops"'));
        const error = await errorOf(client.list(secrets));
        expect(error.lack).to.deep.equal({ ...lack, namespace: 'ops' });
        expect(error.message).not.to.contain('s3cret');
        server.failNext(403, 1, {}, forbidden('at the cluster scope'));
        expect((await errorOf(client.list(secrets))).lack).to.deep.equal({ ...lack, namespace: '' });
      });

      it('no right where admission refused', async () => {
        server.failNext(403, 1, {}, status(403, { reason: 'Forbidden', message: 'exceeded quota' }));
        expect((await errorOf(client.list(THINGS))).lack).to.equal(undefined);
      });
    });

    it('accept a response that is not a Status', async () => {
      server.failNext(502, 1, {}, '<html>token=abc</html>');
      const error = await errorOf(client.list(THINGS));
      expect(error).to.include({ code: 502, reason: 'HTTP502' });
      expect(error.message).not.to.contain('token');
    });

    it('say so when a successful response is not JSON', async () => {
      server.failNext(200, 1, {}, '<html>');
      expect(await errorOf(client.list(THINGS))).to.include({ code: 0, reason: 'UnexpectedAnswer' });
    });

    it('have code 0 when there is no response: refused', async () => {
      await server.goAway();
      const error = await errorOf(client.list(THINGS));
      expect(error).to.include({ code: 0, reason: 'Unreachable' });
      expect(error.message).to.match(/: connection refused$/);
    });

    it('have code 0 when there is no response: silence', async () => {
      server.beSilent(true);
      expect(await errorOf(client.list(THINGS))).to.include({ code: 0, reason: 'Timeout' });
    });

    it('have code 0 when the certificate is not from the cluster’s CA, and name the fault', async () => {
      const other = await ListWatchServer.start();
      const wrong = server.kubeConfig();
      wrong.clusters = other
        .kubeConfig()
        .clusters.map((cluster) => ({ ...cluster, caData: server.kubeConfig().clusters[0]?.caData ?? '' }));
      const error = await errorOf(new ApiClient({ kubeConfig: wrong, userAgent: 'x' }).list(THINGS));
      expect(error.message).to.match(
        /no answer \((UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|CERT_SIGNATURE_FAILURE)\)$/,
      );
      await wrong.close();
      await other.goAway();
    });

    it('end the call when the credentials take too long', async () => {
      const hanging = new ApiClient({
        kubeConfig: { connection: () => new Promise(() => undefined) },
        userAgent: 'x',
        timeoutMs: 50,
      });
      expect(await errorOf(hanging.list(THINGS))).to.include({ code: 0, reason: 'Timeout' });
    });

    it('do not repeat what a credential plugin printed', async () => {
      const broken = { connection: () => Promise.reject(new Error('refresh token r3fr3sh is over')) };
      const error = await errorOf(new ApiClient({ kubeConfig: broken, userAgent: 'x' }).list(THINGS));
      expect(error.reason).to.equal('NoCredentials');
      expect(error.message).not.to.contain('r3fr3sh');
    });
  });

  describe('watch', () => {
    function watching(options: { idleMs?: number; timeoutSeconds?: number } = {}): {
      events: WatchEvent[];
      end: Promise<unknown>;
      abort: () => void;
    } {
      const controller = new AbortController();
      const events: WatchEvent[] = [];
      const watcher = new ApiClient({ kubeConfig, userAgent: 'x', watchIdleMs: options.idleMs ?? 60_000 });
      const { signal } = controller;
      const stream = watcher.watch(THINGS, {
        resourceVersion: '100',
        timeoutSeconds: options.timeoutSeconds ?? 60,
        signal,
      });
      const read = async (): Promise<void> => {
        for await (const event of stream) events.push(event);
      };
      const end = read().catch((error: unknown) => error);
      return { events, end, abort: () => controller.abort() };
    }

    it('ends without an error when the server closes it', async () => {
      const { events, end } = watching();
      await eventually(() => expect(server.openWatches).to.equal(1));
      server.put('a');
      await eventually(() => expect(events).to.have.length(1));
      server.endWatches();
      expect(await end).to.equal(undefined);
    });

    it('ends without an error when it is aborted, and closes its connection', async () => {
      const { end, abort } = watching();
      await eventually(() => expect(server.openWatches).to.equal(1));
      abort();
      expect(await end).to.equal(undefined);
      await eventually(() => expect(server.openWatches).to.equal(0));
    });

    it('rejects when the connection is reset', async () => {
      const { end } = watching();
      await eventually(() => expect(server.openWatches).to.equal(1));
      server.reset();
      expect(await end)
        .to.be.instanceOf(ApiError)
        .and.include({ code: 0 });
    });

    it('rejects when nothing comes for too long', async () => {
      const { end } = watching({ idleMs: 200 });
      expect(await end)
        .to.be.instanceOf(ApiError)
        .and.include({ code: 0, reason: 'Timeout' });
    });

    it('decodes events whose bytes arrive in pieces, even within a character', async () => {
      const { events } = watching();
      await eventually(() => expect(server.openWatches).to.equal(1));
      const object = { ...THING, metadata: { ...THING.metadata, resourceVersion: '101' }, spec: { text: 'größer 🔑' } };
      const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`);
      const cut = bytes.indexOf(Buffer.from('🔑')) + 2;
      server.send(bytes.subarray(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 20));
      server.send(bytes.subarray(cut));
      await eventually(() => expect(events).to.deep.equal([{ type: 'ADDED', object }]));
    });

    it('rejects on a line that is not an event', async () => {
      const { end } = watching();
      await eventually(() => expect(server.openWatches).to.equal(1));
      server.sendLine('{"type":"ADDED","object":{"secret');
      expect(await end)
        .to.be.instanceOf(ApiError)
        .and.include({ reason: 'MalformedEvent' });
    });
  });
});
