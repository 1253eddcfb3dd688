import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { createAuthority, usableAuthority } from '../../../../webhook/certificates/authority.ts';
import type { Authority } from '../../../../webhook/certificates/authority.ts';
import { certificatesIn, isTrusted, validityOf } from '../../../../webhook/certificates/inspect.ts';
import type { ServingPair } from '../../../../webhook/certificates/inspect.ts';
import { LEAF_LIFE_MS, isServable, issueLeaf, leafRenewalTime } from '../../../../webhook/certificates/leaf.ts';
import { bundleOf, decodeSet, encodeSet } from '../../../../webhook/certificates/secret.ts';
import type { Secret } from '../../../../webhook/certificates/secret.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const HOUR = 3600_000;
const DAY = 24 * HOUR;
const NAMES = ['webhook.vault.svc', '127.0.0.1', '::1'];

describe('certificates', () => {
  let authority: Authority;
  let other: Authority;
  let leaf: ServingPair;
  before(async () => {
    authority = await createAuthority(NOW);
    other = await createAuthority(NOW);
    leaf = await issueLeaf(authority, NAMES, NOW);
  });

  it('create an authority that may sign leaves and nothing below them', () => {
    const certificate = new X509Certificate(authority.certificate);
    expect(certificate.ca).to.equal(true);
    expect(certificate.verify(certificate.publicKey)).to.equal(true);
    expect(certificate.publicKey.asymmetricKeyDetails).to.deep.equal({ namedCurve: 'prime256v1' });
    expect(validityOf(certificate)).to.deep.equal({ notBefore: NOW - HOUR, notAfter: NOW + 365 * DAY });
  });

  it('tell authorities apart by name, so that a client finds the right one in a bundle', () => {
    expect(new X509Certificate(other.certificate).subject).not.to.equal(
      new X509Certificate(authority.certificate).subject,
    );
  });

  it('issue a leaf for the names that API servers call, for server authentication', () => {
    const certificate = new X509Certificate(leaf.cert);
    expect(certificate.ca).to.equal(false);
    expect(certificate.checkHost('webhook.vault.svc')).not.to.equal(undefined);
    expect(certificate.checkIP('127.0.0.1')).not.to.equal(undefined);
    expect(certificate.checkHost('elsewhere.vault.svc')).to.equal(undefined);
    expect(certificate.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1']);
    expect(validityOf(certificate)).to.deep.equal({ notBefore: NOW - HOUR, notAfter: NOW + LEAF_LIFE_MS });
  });

  it('issue no leaf that outlives its authority', async () => {
    const late = NOW + 364 * DAY;
    const { cert } = await issueLeaf(authority, NAMES, late);
    expect(validityOf(new X509Certificate(cert)).notAfter).to.equal(NOW + 365 * DAY);
  });

  it('accept names longer than a common name may be', async () => {
    const name = `${'x'.repeat(63)}.${'y'.repeat(63)}.svc`;
    expect(isServable(await issueLeaf(authority, [name], NOW), authority.certificate, [name], NOW)).to.equal(true);
  });

  it('renew a leaf at two thirds of its life, a little sooner in some replicas', () => {
    expect(leafRenewalTime(leaf, 0)).to.be.closeTo(NOW + (LEAF_LIFE_MS * 2) / 3, HOUR);
    expect(leafRenewalTime(leaf, 0) - leafRenewalTime(leaf, 0.99)).to.be.within(8 * HOUR, 9 * HOUR);
  });

  const servable: readonly [string, () => boolean, boolean][] = [
    ['a leaf of the bundle', () => isServable(leaf, other.certificate + authority.certificate, NAMES, NOW), true],
    ['a leaf whose authority is not in the bundle', () => isServable(leaf, other.certificate, NAMES, NOW), false],
    [
      'a leaf without one of the names',
      () => isServable(leaf, authority.certificate, [...NAMES, 'new.svc'], NOW),
      false,
    ],
    [
      'a leaf with the key of another',
      () => isServable({ ...leaf, key: other.key }, authority.certificate, NAMES, NOW),
      false,
    ],
    ['a leaf that is over', () => isServable(leaf, authority.certificate, NAMES, NOW + LEAF_LIFE_MS), false],
    [
      'a leaf of tomorrow: somebody has set the clock',
      () => isServable(leaf, authority.certificate, NAMES, NOW - DAY),
      true,
    ],
    ['a leaf of the day after', () => isServable(leaf, authority.certificate, NAMES, NOW - 2 * DAY), false],
    ['rubbish', () => isServable({ cert: 'x', key: 'y' }, authority.certificate, NAMES, NOW), false],
  ];
  for (const [what, ask, answer] of servable) {
    it(`${answer ? 'serve' : 'do not serve'} ${what}`, () => expect(ask()).to.equal(answer));
  }

  it('do not trust a leaf whose authority has expired', () => {
    expect(isTrusted(leaf.cert, authority.certificate, NOW + 366 * DAY)).to.equal(false);
  });

  it('reject a leaf as an authority, and an authority with another key', () => {
    expect(usableAuthority({ certificate: leaf.cert, key: leaf.key })).to.equal(undefined);
    expect(usableAuthority({ ...authority, key: other.key })).to.equal(undefined);
    expect(usableAuthority(authority)).not.to.equal(undefined);
  });

  describe('in the Secret', () => {
    const secretOf = (data: Record<string, string>): Secret => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'x' },
      data,
    });

    it('come back as they were written, beside keys of others', () => {
      const set = { current: authority, next: other, previous: other.certificate, promotedAt: NOW, leaf };
      const data = encodeSet(set, { note: 'bm90ZQ==', 'next-ca.crt': 'b2xk' });
      expect(decodeSet(secretOf(data))).to.deep.equal({ ...set, damaged: [] });
      expect(data.note).to.equal('bm90ZQ==');
      expect(encodeSet({ current: authority }, data)).to.have.all.keys('ca.crt', 'ca.key', 'note');
    });

    it('are read part by part when one is damaged', () => {
      const data = { ...encodeSet({ current: authority, next: other, leaf }), 'next-ca.key': 'AAAA' };
      expect(decodeSet(secretOf(data))).to.deep.equal({
        current: authority,
        leaf,
        damaged: ['next-ca.crt', 'next-ca.key'],
      });
    });

    it('keep the certificate of an authority whose key is lost: what it signed is still trusted', () => {
      const data = { ...encodeSet({ current: authority, leaf }), 'ca.key': '' };
      expect(decodeSet(secretOf(data))).to.deep.equal({
        orphan: authority.certificate,
        leaf,
        damaged: ['ca.crt', 'ca.key'],
      });
    });

    it('are damaged if there are none', () => {
      expect(decodeSet(secretOf({})).damaged).to.deep.equal(['ca.crt', 'ca.key']);
    });

    it('make a bundle of current, next and previous', () => {
      const bundle = bundleOf({ current: authority, next: other, previous: leaf.cert });
      expect(certificatesIn(bundle).map(({ fingerprint256 }) => fingerprint256)).to.deep.equal(
        [authority.certificate, other.certificate, leaf.cert].map((pem) => new X509Certificate(pem).fingerprint256),
      );
    });
  });
});
