import { expect } from 'chai';
import { isNamespaceName, isObjectName, isPathSegment } from '../../../core/object-names.ts';

/** What gets out of its place in a path, a query, a key or a line. */
const FOREIGN = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a%2fb',
  '%2e%2e',
  'a?b=c',
  'a#b',
  'a\\b',
  'a\nb',
  'a\u0000',
  'a\u0085b',
];

describe('the name of an object', () => {
  for (const name of ['web', 'a', '0', 'web-1', 'kube-root-ca.crt', 'a.b-c.d', 'a'.repeat(253)]) {
    it(`can be ${name.slice(0, 20)}`, () => {
      expect([isObjectName(name), isPathSegment(name)]).to.deep.equal([true, true]);
    });
  }

  for (const name of [...FOREIGN, 'Web', 'web_1', '-web', 'web-', 'a..b', '.a', 'a.', 'a b', 'ü', 'a'.repeat(254)]) {
    it(`cannot be ${JSON.stringify(name.slice(0, 20))}`, () => expect(isObjectName(name)).to.equal(false));
  }
});

describe('the name of a namespace', () => {
  it('is one label', () => {
    expect(['shop', 'team-1', 'a'.repeat(63)].every(isNamespaceName)).to.equal(true);
    expect([...FOREIGN, 'a.b', 'Shop', '-a', 'a'.repeat(64)].filter(isNamespaceName)).to.deep.equal([]);
  });
});

describe('a segment of a path', () => {
  it('is what stays one, however it is decoded', () => {
    expect(FOREIGN.filter(isPathSegment)).to.deep.equal([]);
    expect(['system:basic-user', 'vault-injection-operator', 'A_b'].every(isPathSegment)).to.equal(true);
  });
});
