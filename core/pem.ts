import { X509Certificate } from 'node:crypto';

const BEGIN = '-----BEGIN CERTIFICATE-----';

/**
 * Returns the certificates of a bundle (PEM, RFC 7468), each from its BEGIN to its END without surrounding space; what
 * is between them is skipped. One that is cut off does not count and does not swallow the next: base64 has no dash. For
 * the same reason it is one pass over the text, whatever the text holds.
 */
export function certificateBlocks(bundle: string): readonly string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** Returns the first certificate of a PEM, or undefined if there is none that can be parsed. */
export function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/**
 * Returns what is wrong with a PEM bundle, as a message; undefined if it has at least one certificate and all can be
 * parsed.
 */
export function faultOfCertificates(pem: string): string | undefined {
  const blocks = certificateBlocks(pem);
  const begun = pem.split(BEGIN).length - 1;
  const broken = blocks.findIndex((block) => parseCertificate(block) === undefined);
  if (blocks.length > 0 && blocks.length === begun && broken < 0) return undefined;
  const which =
    broken < 0 ? 'a certificate is truncated' : `certificate ${broken + 1} of ${blocks.length} cannot be parsed`;
  return `${which}; write complete certificates in PEM format`;
}
