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

/** Returns the SHA-256 fingerprint, as `openssl x509 -fingerprint -sha256` prints it; '' if it is no certificate. */
export function fingerprintOf(pem: string): string {
  return parseCertificate(pem)?.fingerprint256 ?? '';
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
  return issuerOf(cert, bundle, now) !== undefined;
}

/** Returns the authority of the bundle, valid now, that has signed this certificate, also valid now. */
export function issuerOf(cert: string, bundle: string, now: number): X509Certificate | undefined {
  const leaf = parseCertificate(cert);
  if (leaf === undefined || !isValid(validityOf(leaf), now)) return undefined;
  return certificatesIn(bundle).find(
    (authority) =>
      isValid(validityOf(authority), now) && leaf.checkIssued(authority) && leaf.verify(authority.publicKey),
  );
}

/** Whether a client that connects to any of these names (DNS names or IP addresses) accepts this certificate for it. */
export function coversAll(certificate: X509Certificate, names: readonly string[]): boolean {
  return names.every(
    (name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined,
  );
}

/**
 * A certificate from the future was issued by a clock that was ahead, or this clock has been set back since. A day covers
 * a clock that was set to another time zone; throwing away what API servers trust would cost more than it could repair.
 */
const AHEAD_MS = 24 * 3600_000;

/** Whether a certificate is to be reckoned with now: it has not expired, and begins within a day. */
export function isValid({ notBefore, notAfter }: Validity, now: number): boolean {
  return notBefore - AHEAD_MS <= now && now < notAfter;
}
