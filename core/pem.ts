/**
 * Certificates in PEM (RFC 7468), as people paste them. vault-env reads the same bundle with the same rules
 * (vault-env/internal/vault/certificates.go); vault-env/testdata/certificates.json holds both to them:
 *
 * - A certificate is what stands between BEGIN CERTIFICATE and the next END CERTIFICATE, wherever on a line they are. What
 *   is around is skipped: comments, a byte order mark, other kinds of PEM.
 * - White space in it does not count (space, tab, CR, LF, VT, FF); the rest is base64 of one DER certificate, and no more.
 * - A BEGIN whose END is missing or behind another BEGIN is truncated. One certificate that is truncated or broken makes
 *   the whole bundle unusable: who trusts less than was written would fail later, with another message.
 */
import { X509Certificate } from 'node:crypto';

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

export type Bundle =
  | { readonly ok: true; readonly certificates: readonly X509Certificate[] }
  /** `number` is that of the certificate, from 1. */
  | { readonly ok: false; readonly fault: 'None' }
  | { readonly ok: false; readonly fault: 'Truncated' | 'Broken'; readonly number: number };

/** Reads a bundle in time that is linear in its length. Never throws. */
export function readBundle(text: string): Bundle {
  const certificates: X509Certificate[] = [];
  for (let begin = text.indexOf(BEGIN); begin >= 0;) {
    const number = certificates.length + 1;
    const body = begin + BEGIN.length;
    const end = text.indexOf(END, body);
    begin = text.indexOf(BEGIN, body);
    if (end < 0 || (begin >= 0 && begin < end)) return { ok: false, fault: 'Truncated', number };
    const certificate = certificateOf(text.slice(body, end));
    if (certificate === undefined) return { ok: false, fault: 'Broken', number };
    certificates.push(certificate);
  }
  return certificates.length > 0 ? { ok: true, certificates } : { ok: false, fault: 'None' };
}

/** Returns the bundle as every TLS library reads it; the text itself if there is a fault in it. */
export function normalizedBundle(text: string): string {
  const bundle = readBundle(text);
  return bundle.ok ? bundle.certificates.map((certificate) => certificate.toString()).join('') : text;
}

function certificateOf(text: string): X509Certificate | undefined {
  const body = text.replace(/[ \t\r\n\v\f]+/g, '');
  if (body.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(body)) return undefined;
  const der = Buffer.from(body, 'base64');
  const certificate = parseCertificate(der);
  // Go takes neither what is behind a certificate nor a negative serial number
  const isWhole = certificate?.raw.length === der.length && !certificate.serialNumber.startsWith('-');
  return isWhole ? certificate : undefined;
}

/**
 * Returns the certificates of a bundle that the operator itself has written, each from its BEGIN to its END. One that is
 * cut off does not count and does not swallow the next: base64 has no dash. For the same reason it is one pass over the
 * text, whatever the text holds.
 */
export function certificateBlocks(bundle: string): readonly string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** Returns the first certificate of a PEM, or the one of a DER, or undefined if there is none that can be parsed. */
export function parseCertificate(encoded: string | Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(encoded);
  } catch {
    return undefined;
  }
}

/** Returns what is wrong with a PEM bundle, as a message; undefined if it has at least one certificate and no fault. */
export function faultOfCertificates(pem: string): string | undefined {
  const bundle = readBundle(pem);
  if (bundle.ok) return undefined;
  const advice = 'write complete certificates in PEM format';
  if (bundle.fault === 'None') return `it contains no certificate; ${advice}`;
  return `certificate ${bundle.number} ${bundle.fault === 'Truncated' ? 'is truncated' : 'cannot be parsed'}; ${advice}`;
}
