import { expect } from 'chai';

import { kvPathOf } from '../../../../operator/rotation/kv-path.ts';

describe('the path of metadata', () => {
  const cases: readonly [read: string, metadata: string | undefined][] = [
    ['secret/data/shop/db', 'secret/metadata/shop/db'],
    ['/secret/data/shop/db/', 'secret/metadata/shop/db'],
    ['team/kv/data/db', 'team/kv/metadata/db'],
    ['secret/data/data/db', 'secret/metadata/data/db'],
    ['data/data/db', 'data/metadata/db'],
    ['secret/data/mydata', 'secret/metadata/mydata'],
    ['kv/shop/db', undefined],
    ['kv/shop/data', undefined],
    ['data/shop', undefined],
    ['database/creds/shop', undefined],
    ['pki/issue/shop', undefined],
    ['secret/data/../../sys/mounts', undefined],
    ['secret/data/./db', undefined],
    ['', undefined],
  ];
  for (const [read, metadata] of cases) {
    it(`of "${read}" is ${metadata ?? 'none'}`, () => {
      expect(kvPathOf(read)?.metadata).to.equal(metadata);
    });
  }

  it('comes with the path of the value, which is compared with what is allowed, without slashes that do not count', () => {
    expect(kvPathOf('//secret/data//shop/db/')?.data).to.equal('secret/data/shop/db');
  });
});
