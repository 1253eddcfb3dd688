/** Text as base64 (RFC 4648, section 4), as in Secrets and other Kubernetes objects. */

export function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Decodes base64 to text (UTF-8). Never throws: what is not base64 is skipped, what is not UTF-8 becomes U+FFFD. */
export function fromBase64(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
