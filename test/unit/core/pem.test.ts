import { expect } from 'chai';

import { certificateBlocks, faultOfCertificates, parseCertificate } from '../../../core/pem.ts';
import { CA } from '../../support/example-ca.ts';

const WHOLE = CA.trim();
const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
const CUT_OFF = WHOLE.slice(0, 100);

describe('certificateBlocks', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['none of nothing', '', []],
    ['one', CA, [WHOLE]],
    ['several, whatever stands between them', `# ours\n${CA}# theirs\r\n${BROKEN}`, [WHOLE, BROKEN]],
    ['the whole one behind one that is cut off', `${CUT_OFF}\n${CA}`, [WHOLE]],
    ['none of a private key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----', []],
  ];
  for (const [what, bundle, blocks] of cases) {
    it(`finds ${what}`, () => expect(certificateBlocks(bundle)).to.deep.equal(blocks));
  }

  it('is quick with a megabyte of beginnings', () => {
    const started = performance.now();
    expect(certificateBlocks('-----BEGIN CERTIFICATE-----\n'.repeat(40_000))).to.deep.equal([]);
    expect(performance.now() - started).to.be.below(1_000);
  });
});

describe('parseCertificate', () => {
  it('reads one', () => expect(parseCertificate(CA)?.subject).to.equal('CN=Example CA'));

  for (const pem of ['', 'text', BROKEN, CUT_OFF]) {
    it(`reads none in ${JSON.stringify(pem.slice(0, 40))}`, () => expect(parseCertificate(pem)).to.equal(undefined));
  }
});

describe('faultOfCertificates', () => {
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ['whole ones', CA + CA, undefined],
    ['none', 'text', 'a certificate is truncated; write complete certificates in PEM format'],
    ['one that is cut off', CA + CUT_OFF, 'a certificate is truncated; write complete certificates in PEM format'],
    ['one that is none', CA + BROKEN, 'certificate 2 of 2 cannot be parsed; write complete certificates in PEM format'],
  ];
  for (const [what, pem, fault] of cases) {
    it(`${fault === undefined ? 'finds none in' : 'says what is wrong with'} ${what}`, () =>
      expect(faultOfCertificates(pem)).to.equal(fault));
  }
});
