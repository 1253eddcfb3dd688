import type { KeyObject, webcrypto } from 'node:crypto';

/** What issuing an authority and issuing a leaf have in common. */

export const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Clocks of API servers may be behind ours; an hour, as in the self-signed certificates of client-go. */
export const BACKDATED_MS = 60 * 60_000;

/**
 * Loaded when first needed: it takes 0.1 s, and a start that finds a valid certificate in the Secret does not need it.
 */
export async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata'); // its dependency injection needs it at import
  return await import('@peculiar/x509');
}

export function signingKeyOf(key: KeyObject): webcrypto.CryptoKey {
  return key.toCryptoKey(ECDSA_P256, false, ['sign']);
}

export function toPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
