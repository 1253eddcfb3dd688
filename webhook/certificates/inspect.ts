import { createPrivateKey } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

import { certificateBlocks, parseCertificate } from '../../core/pem.ts';

/** Questions about certificates in PEM, answered by node:crypto alone. */

/** A certificate (the leaf first, if there is a chain) and its private key, both PEM. */
export interface ServingPair {
  readonly cert: string;
  readonly key: string;
}

/** Milliseconds since the epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Returns the certificates of a bundle; skips what is not one. */
export function certificatesIn(bundle: string): X509Certificate[] {
  return certificateBlocks(bundle)
    .map(parseCertificate)
    .filter((certificate) => certificate !== undefined);
}

export function validityOf(certificate: X509Certificate): Validity {
  return { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() };
}

/**
 * Returns when two thirds of its life have passed: it is renewed from then on, with a third left to recover from
 * trouble.
 */
export function renewalTime({ notBefore, notAfter }: Validity): number {
  return notBefore + ((notAfter - notBefore) * 2) / 3;
}

export function isKeyOf(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** Whether one of the bundle's authorities, valid now, has signed this certificate, also valid now. */
export function isTrusted(cert: string, bundle: string, now: number): boolean {
  const leaf = parseCertificate(cert);
  if (leaf === undefined || !isWithin(validityOf(leaf), now)) return false;
  return certificatesIn(bundle).some(
    (authority) =>
      isWithin(validityOf(authority), now) && leaf.checkIssued(authority) && leaf.verify(authority.publicKey),
  );
}

/** Whether a client that connects to any of these names (DNS names or IP addresses) accepts this certificate for it. */
export function coversAll(certificate: X509Certificate, names: readonly string[]): boolean {
  return names.every(
    (name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined,
  );
}

function isWithin({ notBefore, notAfter }: Validity, now: number): boolean {
  return notBefore <= now && now < notAfter;
}
