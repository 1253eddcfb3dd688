import { expect } from 'chai';
import { ApiError } from '../../../../kube/object-client.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import type { ObjectClient } from '../../../../kube/object-client.ts';
import { pullSecretReader } from '../../../../webhook/image-config/pull-secrets.ts';
import type { PullSecrets } from '../../../../webhook/image-config/pull-secrets.ts';

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const auths = (user: string): object => ({ 'quay.io': { username: user, password: 'p' } });

function secret(type: string, key: string, content: unknown): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, type, data: { [key]: base64(content) } };
}

const modern = (user: string): object =>
  secret('kubernetes.io/dockerconfigjson', '.dockerconfigjson', { auths: auths(user) });

/**
 * Reads with an API server that holds these objects of the namespace shop; an error stands for one that may not be
 * read.
 */
async function read(
  objects: Record<string, object | ApiError>,
  pullSecrets: string[],
  serviceAccount = 'web',
): Promise<PullSecrets & { users: string[]; gets: string[] }> {
  const gets: string[] = [];
  const get = (({ plural, namespace = '' }, name) => {
    gets.push(`${namespace}/${plural}/${name}`);
    const found = objects[`${plural}/${name}`];
    return found instanceof ApiError ? Promise.reject(found) : Promise.resolve(found as KubernetesObject | undefined);
  }) as ObjectClient['get'];
  const result = await pullSecretReader({ get })({ namespace: 'shop', serviceAccount, pullSecrets });
  return { ...result, users: result.entries.map(({ credential }) => credential.username), gets };
}

describe('pull secrets', () => {
  const account = { imagePullSecrets: [{ name: 'of-account' }] };

  it('are those of the pod, in their order and in both forms', async () => {
    const { users, gets } = await read(
      {
        'secrets/b': modern('first'),
        'secrets/a': secret('kubernetes.io/dockercfg', '.dockercfg', auths('second')),
        'serviceaccounts/web': account,
      },
      ['b', 'a'],
    );
    expect(users).to.deep.equal(['first', 'second']);
    expect(gets, 'nothing else is read').to.deep.equal(['shop/secrets/b', 'shop/secrets/a']);
  });

  it('are those of the ServiceAccount if the pod names none, as its admission would set them', async () => {
    const { users } = await read({ 'serviceaccounts/web': account, 'secrets/of-account': modern('account') }, []);
    expect(users).to.deep.equal(['account']);
  });

  it('are none if there is no such ServiceAccount, or if it may not be read', async () => {
    expect((await read({}, [])).entries).to.deep.equal([]);
    const forbidden = new ApiError(403, 'Forbidden', 'no');
    expect((await read({ 'serviceaccounts/web': forbidden }, [])).unread).to.deep.equal([]);
  });

  it('are named if the operator may not read them, and the others still count', async () => {
    const forbidden = new ApiError(403, 'Forbidden', 'no');
    const { users, unread } = await read({ 'secrets/a': forbidden, 'secrets/b': modern('b') }, ['a', 'b']);
    expect([users, unread]).to.deep.equal([['b'], ['a']]);
  });

  it('are not asked for by names that no Secret or ServiceAccount can have', async () => {
    const odd = { imagePullSecrets: [{ name: '../configmaps/x' }, { name: 'a%2fb' }] };
    expect((await read({ 'serviceaccounts/web': odd }, [])).gets).to.deep.equal(['shop/serviceaccounts/web']);
    expect((await read({}, ['..', 'X', 'a'])).gets).to.deep.equal(['shop/secrets/a']);
    expect((await read({}, [], '../../nodes')).gets).to.deep.equal([]);
  });

  it('that are missing, of another type, or damaged do not count, as for the kubelet', async () => {
    const { entries, unread } = await read(
      {
        'secrets/opaque': secret('Opaque', '.dockerconfigjson', { auths: auths('x') }),
        'secrets/empty': { type: 'kubernetes.io/dockerconfigjson' },
        'secrets/odd': secret('kubernetes.io/dockercfg', '.dockercfg', [1]),
      },
      ['gone', 'opaque', 'empty', 'odd'],
    );
    expect([entries, unread]).to.deep.equal([[], []]);
  });

  it('are sixteen at most', async () => {
    const { gets } = await read(
      {},
      Array.from({ length: 1000 }, (_, n) => `s${n}`),
    );
    expect(gets).to.have.length(16);
  });
});
