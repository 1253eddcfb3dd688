import { expect } from 'chai';
import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import type { ObjectClient } from '../../../../kube/object-client.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { OPT_OUT } from '../../../../core/injection/sources.ts';
import type { SourceRef } from '../../../../core/injection/sources.ts';
import { sourceReader } from '../../../../webhook/sources/source-reader.ts';
import type { SourceReading } from '../../../../webhook/sources/source-reader.ts';

const APP: SourceRef = { kind: 'ConfigMap', name: 'app' };
const DB: SourceRef = { kind: 'Secret', name: 'db' };

async function read(ref: SourceRef, object: object | ApiError | undefined): Promise<SourceReading & { asked: string }> {
  let asked = '';
  const get = ((resource: Resource, name: string) => {
    asked = `${resource.group}/${resource.version}/${resource.namespace}/${resource.plural}/${name}`;
    if (object instanceof ApiError) return Promise.reject(object);
    return Promise.resolve(object as KubernetesObject | undefined);
  }) as ObjectClient['get'];
  return { ...(await sourceReader({ get })('shop', ref)), asked };
}

const metadata = { name: 'x', resourceVersion: '7' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('reading a ConfigMap or Secret', () => {
  it('keeps all keys, and values only if they may be references', async () => {
    const data = { A: 'vault:kv/a#b', B: 'plain', C: 'x ${vault:kv/a#b}', D: '' };
    expect(await read(APP, { metadata, data, binaryData: { E: base64('vault:kv/a#b') } })).to.deep.equal({
      answer: { data: { A: 'vault:kv/a#b', B: '', C: 'x ${vault:kv/a#b}', D: '' } },
      version: '7',
      isFailure: false,
      asked: '/v1/shop/configmaps/app',
    });
  });

  it('forgets what a Secret holds, except for references', async () => {
    const data = { PASSWORD: base64('hunter2'), DB: base64('vault:kv/a#b'), NONE: null };
    const { answer, asked } = await read(DB, { metadata, data });
    expect(answer).to.deep.equal({ data: { PASSWORD: '', DB: 'vault:kv/a#b', NONE: '' } });
    expect(asked).to.equal('/v1/shop/secrets/db');
  });

  it('takes keys for what they are', async () => {
    const { answer } = await read(APP, JSON.parse('{"metadata":{},"data":{"__proto__":"vault:kv/a#b"}}') as object);
    expect(JSON.stringify(answer)).to.equal('{"data":{"__proto__":"vault:kv/a#b"}}');
  });

  it('takes of a ServiceAccount only whether its pods opt out of tokens', async () => {
    const read1 = (fields: object): Promise<SourceReading & { asked: string }> =>
      read({ kind: 'ServiceAccount', name: 'web' }, { metadata, ...fields });
    const { answer, asked } = await read1({ automountServiceAccountToken: false, secrets: [{ name: 'vault:x#y' }] });
    expect({ answer, asked }).to.deep.equal({
      answer: { data: { [OPT_OUT]: 'true' } },
      asked: '/v1/shop/serviceaccounts/web',
    });
    for (const fields of [{}, { automountServiceAccountToken: true }])
      expect((await read1(fields)).answer).to.deep.equal({ data: { [OPT_OUT]: '' } });
  });

  const others: readonly [what: string, ref: SourceRef, object: object | ApiError | undefined, reading: object][] = [
    ['one without data', APP, { metadata }, { answer: { data: {} }, isFailure: false }],
    ['one that is not there', APP, undefined, { answer: { missing: true }, isFailure: false }],
    [
      'a Secret without a Role',
      DB,
      new ApiError(403, 'Forbidden', 'secrets "db" is forbidden'),
      {
        answer: { unreadable: 'a Role must allow the operator to get it: docs/guides/references-elsewhere.md' },
        isFailure: false,
      },
    ],
    [
      'a ConfigMap without rights',
      APP,
      new ApiError(403, 'Forbidden', 'forbidden'),
      {
        answer: { unreadable: 'the ClusterRole of the operator does not allow to get ConfigMaps: apply config/rbac' },
        isFailure: false,
      },
    ],
    [
      'no answer',
      DB,
      new ApiError(0, 'Timeout', 'GET /api: no answer in time'),
      { answer: { unreadable: 'the API server did not answer; try again' }, isFailure: true },
    ],
    [
      'an error of the server',
      DB,
      new ApiError(500, 'InternalError', 'etcd said things'),
      { answer: { unreadable: 'the API server answered 500; try again' }, isFailure: true },
    ],
  ];
  for (const [what, ref, object, reading] of others) {
    it(`reports ${what}`, async () => expect(await read(ref, object)).to.deep.include(reading));
  }
});
