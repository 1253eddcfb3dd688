import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';

import { parseCertificate } from '../../core/pem.ts';
import type { Authority } from './authority.ts';
import { coversAll, isKeyOf, isTrusted, renewalTime, validityOf } from './inspect.ts';
import type { ServingPair } from './inspect.ts';
import { BACKDATED_MS, ECDSA_P256, loadX509, signingKeyOf, toPem } from './issue.ts';

/** A week, as for the leaf of cert-manager's own webhook. */
export const LEAF_LIFE_MS = 7 * 24 * 3600_000;

// The common name is only informative: RFC 5280 (A.1, ub-common-name) limits it to 64 characters, and clients read the
// SANs.
const LONGEST_COMMON_NAME = 64;

/** Issues a key and a certificate for these names (DNS names or IP addresses), valid no longer than its authority. */
export async function issueLeaf(authority: Authority, names: readonly string[], now: number): Promise<ServingPair> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certificate);
  const subjectKey = publicKey.toCryptoKey(ECDSA_P256, true, ['verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomBytes(16).toString('hex'),
    subject: `CN=${(names[0] ?? 'webhook').slice(0, LONGEST_COMMON_NAME)}`,
    issuer: issuer.subjectName,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(Math.min(now + LEAF_LIFE_MS, issuer.notAfter.getTime())),
    signingAlgorithm: ECDSA_P256,
    publicKey: subjectKey,
    signingKey: signingKeyOf(createPrivateKey(authority.key)),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(subjectKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: toPem(privateKey) };
}

/** Whether a pair may be served: intact, for these names, signed by an authority of `bundle`, valid now. */
export function isServable(pair: ServingPair, bundle: string, names: readonly string[], now: number): boolean {
  const leaf = parseCertificate(pair.cert);
  if (leaf === undefined || !isKeyOf(leaf, pair.key)) return false;
  return coversAll(leaf, names) && isTrusted(pair.cert, bundle, now);
}

/** Returns when to renew a leaf. `jitter` in [0, 1) keeps replicas that started together from renewing together. */
export function leafRenewalTime(pair: ServingPair, jitter: number): number {
  const leaf = parseCertificate(pair.cert);
  if (leaf === undefined) return 0;
  // up to 5 % of a week: eight hours
  return renewalTime(validityOf(leaf)) - 0.05 * jitter * LEAF_LIFE_MS;
}
