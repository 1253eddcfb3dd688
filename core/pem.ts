import { X509Certificate } from 'node:crypto';

const BEGIN = '-----BEGIN CERTIFICATE-----';

/**
 * The certificates of a bundle (PEM, RFC 7468), each from its BEGIN to its END without surrounding space; what stands
 * between them is passed over. One that is cut off is none, and takes nothing of the next with it: base64 holds no dash.
 * The same dash makes it one pass over the text, whatever somebody has put there.
 */
export function certificateBlocks(bundle: string): readonly string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** The first certificate of a PEM; undefined where there is none that can be read. */
export function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** What is wrong with certificates as PEM, for people; undefined: each of them can be read, and there is one at least. */
export function faultOfCertificates(pem: string): string | undefined {
  const blocks = certificateBlocks(pem);
  const begun = pem.split(BEGIN).length - 1;
  const broken = blocks.findIndex((block) => parseCertificate(block) === undefined);
  if (blocks.length > 0 && blocks.length === begun && broken < 0) return undefined;
  const which =
    broken < 0 ? 'a certificate is truncated' : `certificate ${broken + 1} of ${blocks.length} cannot be parsed`;
  return `${which}; write complete certificates in PEM format`;
}
