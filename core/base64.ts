/** Texts as base64 (RFC 4648, section 4), as Secrets and other objects of Kubernetes hold them. */

export function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The text (UTF-8) of some base64. Never throws: what is no base64 in it is passed over, what is no UTF-8 becomes U+FFFD. */
export function fromBase64(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
