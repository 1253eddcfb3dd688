import { X509Certificate } from 'node:crypto';

/** What is wrong with certificates as PEM, for people; undefined: each of them can be read, and there is one at least. */
export function faultOfCertificates(pem: string): string | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const begun = pem.split('-----BEGIN CERTIFICATE-----').length - 1;
  const broken = blocks.findIndex((block) => !isCertificate(block));
  if (blocks.length > 0 && blocks.length === begun && broken < 0) return undefined;
  const which =
    broken < 0 ? 'a certificate is cut off' : `certificate ${broken + 1} of ${blocks.length} cannot be read`;
  return `${which}; write whole certificates as PEM`;
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
