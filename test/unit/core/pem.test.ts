import { expect } from 'chai';
import { readFileSync } from 'node:fs';

import {
  certificateBlocks,
  faultOfCertificates,
  normalizedBundle,
  parseCertificate,
  readBundle,
} from '../../../core/pem.ts';
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

describe('a bundle of certificates', () => {
  interface Case {
    readonly name: string;
    readonly text: string;
    readonly certificates?: number;
    readonly fault?: string;
    readonly number?: number;
  }
  const table = new URL('../../../vault-env/testdata/certificates.json', import.meta.url);
  const cases = JSON.parse(readFileSync(table, 'utf8')) as readonly Case[];
  for (const { name, text, certificates, fault, number } of cases) {
    it(`${name}: ${fault ?? String(certificates)}`, () => {
      const bundle = readBundle(text);
      expect(bundle.ok ? bundle.certificates.length : undefined).to.equal(certificates);
      const expected = { ok: false, fault, ...(number !== undefined && { number }) };
      if (!bundle.ok) expect(bundle).to.deep.equal(expected);
      expect(faultOfCertificates(text) === undefined).to.equal(fault === undefined);
    });

    it(`${name}: handed on as TLS libraries read it`, () => {
      const normalized = normalizedBundle(text);
      if (fault !== undefined) expect(normalized).to.equal(text);
      else expect(certificateBlocks(normalized).map(parseCertificate)).to.have.length(certificates ?? 0);
      // what it makes is read in the same way, and is what it makes of it
      expect(normalizedBundle(normalized)).to.equal(normalized);
    });
  }

  it('is read in linear time', () => {
    for (const part of [
      '-----BEGIN CERTIFICATE-----\n',
      '-----END CERTIFICATE-----',
      '-',
      CA,
      `${CA}-----BEGIN`,
      ' ',
    ]) {
      readBundle(part.repeat(1_000_000 / part.length));
    }
  });

  it('with a fault: a message says which certificate, and nothing of it', () => {
    const advice = 'write complete certificates in PEM format';
    expect(faultOfCertificates('text')).to.equal(`it contains no certificate; ${advice}`);
    expect(faultOfCertificates(CA + CUT_OFF)).to.equal(`certificate 2 is truncated; ${advice}`);
    expect(faultOfCertificates(CA + BROKEN)).to.equal(`certificate 2 cannot be parsed; ${advice}`);
  });
});
