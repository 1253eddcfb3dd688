import { expect } from 'chai';

import type { KubernetesObject } from '../../../core/object.ts';
import { coreResource } from '../../../core/resources.ts';
import { ApiError } from '../../../kube/object-client.ts';
import { itemsIfServed, itemsOf } from '../../../kube/items.ts';
import type { ListOptions, ObjectClient } from '../../../kube/object-client.ts';

const NODES = coreResource('Node');
const node = (name: string): KubernetesObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
const PAGES = [[node('a'), node('b')], [], [node('c')]];

describe('itemsOf', () => {
  let asked: ListOptions[];
  const client = {
    list: (_: unknown, options: ListOptions = {}) => {
      asked.push(options);
      const at = Number(options.continue ?? 0);
      const next = at < PAGES.length - 1 ? String(at + 1) : '';
      return Promise.resolve({ metadata: { resourceVersion: '7', continue: next }, items: PAGES[at] ?? [] });
    },
  } as unknown as Pick<ObjectClient, 'list'>;

  beforeEach(() => (asked = []));

  it('are those of all pages, in their order', async () => {
    const names: string[] = [];
    for await (const { metadata } of itemsOf(client, NODES, { limit: 2, metadataOnly: true }))
      names.push(metadata.name);
    expect(names).to.deep.equal(['a', 'b', 'c']);
    expect(asked).to.deep.equal([
      { limit: 2, metadataOnly: true },
      { limit: 2, metadataOnly: true, continue: '1' },
      { limit: 2, metadataOnly: true, continue: '2' },
    ]);
  });

  it('are only fetched as far as they are read', async () => {
    for await (const { metadata } of itemsOf(client, NODES, { limit: 2 })) if (metadata.name === 'b') break;
    expect(asked).to.have.length(1);
  });
});

describe('itemsIfServed', () => {
  const answering = (code: number, reason: string): Pick<ObjectClient, 'list'> => ({
    list: () => Promise.reject(new ApiError(code, reason, 'no list')),
  });
  const read = async (client: Pick<ObjectClient, 'list'>): Promise<number> =>
    // the first, or that there is none
    (await itemsIfServed(client, NODES, { limit: 2 }).next()).done === true ? 0 : 1;

  it('are none where the API server does not know the resource', async () => {
    expect(await read(answering(404, 'NotFound'))).to.equal(0);
  });

  it('are not known where it refuses to say, or fails', async () => {
    for (const [code, reason] of [
      [403, 'Forbidden'],
      [503, 'ServiceUnavailable'],
    ] as const) {
      const error = await read(answering(code, reason)).catch((one: unknown) => one);
      expect(error).to.be.instanceOf(ApiError);
    }
  });
});
