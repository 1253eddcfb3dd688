import type { X509Certificate } from 'node:crypto';

/** Whether a certificate has one of these names, as its common name or as a DNS name; without names any has. */
export function isNamed(certificate: X509Certificate, names: readonly string[]): boolean {
  if (names.length === 0) return true;
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | readonly string[] };
  return names.some(
    (name) => CN === name || certificate.checkHost(name, { subject: 'never', wildcards: false }) !== undefined,
  );
}
