import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';

import { parseCertificate } from '../../core/pem.ts';
import { isKeyOf } from './inspect.ts';
import { BACKDATED_MS, ECDSA_P256, loadX509, signingKeyOf, toPem } from './issue.ts';

/** This operator's own certificate authority, both parts as PEM. */
export interface Authority {
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: string;
}

/** A year, as for the authority of cert-manager's own webhook. */
export const AUTHORITY_LIFE_MS = 365 * 24 * 3600_000;

/** Creates a key and a self-signed certificate. The name tells one authority from the next in a bundle. */
export async function createAuthority(now: number): Promise<Authority> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const x509 = await loadX509();
  const keys = { privateKey: signingKeyOf(privateKey), publicKey: publicKey.toCryptoKey(ECDSA_P256, true, ['verify']) };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString('hex'),
    name: `CN=vault-injection-operator CA ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + AUTHORITY_LIFE_MS),
    signingAlgorithm: ECDSA_P256,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: toPem(privateKey) };
}

/** Returns the certificate of an intact authority: it may sign, and the key is its own. Undefined if it is damaged. */
export function usableAuthority({ certificate, key }: Authority): X509Certificate | undefined {
  const parsed = parseCertificate(certificate);
  return parsed?.ca === true && isKeyOf(parsed, key) ? parsed : undefined;
}
