import { hash } from 'node:crypto';

/**
 * 12 hexadecimal digits, 48 bits of SHA-256: tells a changed text from an unchanged one, and two of one cluster do not
 * meet by accident. It is no protection against a forger, nor need be.
 */
export function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 12);
}
