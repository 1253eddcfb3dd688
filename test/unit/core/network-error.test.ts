import { expect } from 'chai';

import { codeOf, explained, isTimeout, isUnknownName, tlsFaultOf } from '../../../core/network-error.ts';

function coded(code: string, options?: ErrorOptions): Error {
  return Object.assign(new Error('never read', options), { code });
}

describe('codeOf', () => {
  const refused = coded('ECONNREFUSED');
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['an error of the system', refused, 'ECONNREFUSED'],
    ['one that is wrapped', new TypeError('fetch failed', { cause: refused }), 'ECONNREFUSED'],
    ['one that is wrapped twice', new Error('a', { cause: coded('OUTER', { cause: refused }) }), 'ECONNREFUSED'],
    ['the first of several attempts', new AggregateError([refused, coded('ENETUNREACH')]), 'ECONNREFUSED'],
    ['several attempts without any error', new AggregateError([]), 'AggregateError'],
    ['an error without a code, by its name', new DOMException('late', 'TimeoutError'), 'TimeoutError'],
    ['an error whose code is a number, by its name', Object.assign(new RangeError(), { code: 7 }), 'RangeError'],
    ['an error whose cause is none', coded('EPROTO', { cause: 'text' }), 'EPROTO'],
    ['what is no error, by its type', 'text', 'string'],
    ['nothing at all', undefined, 'undefined'],
  ];
  for (const [what, error, code] of cases) it(`names ${what}`, () => expect(codeOf(error)).to.equal(code));
});

describe('tlsFaultOf', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['SELF_SIGNED_CERT_IN_CHAIN', 'Untrusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'Untrusted'],
    ['CERT_UNTRUSTED', 'Untrusted'],
    ['CERT_HAS_EXPIRED', 'Expired'],
    ['CERT_NOT_YET_VALID', 'NotYetValid'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'OtherName'],
    ['EPROTO', 'NoTls'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'NoTls'],
    ['CERT_REVOKED', 'Unverifiable'],
    ['ERR_TLS_HANDSHAKE_TIMEOUT', 'Unverifiable'],
    ['ECONNREFUSED', undefined],
  ];
  for (const [code, fault] of cases) {
    it(`takes ${code} for ${fault ?? 'something else'}`, () => expect(tlsFaultOf(code)).to.equal(fault));
  }
});

describe('a code of the network', () => {
  it('means a timeout', () => {
    expect(['TimeoutError', 'ETIMEDOUT', 'UND_ERR_BODY_TIMEOUT', 'ECONNRESET'].map(isTimeout)).to.deep.equal([
      true,
      true,
      true,
      false,
    ]);
  });

  it('means that a name does not resolve', () => {
    expect(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED'].map(isUnknownName)).to.deep.equal([true, true, false]);
  });

  it('has an explanation, if that says more than the code', () => {
    expect(explained('ECONNREFUSED')).to.equal('connection refused');
    expect(explained('EMFILE')).to.equal(undefined);
  });
});
