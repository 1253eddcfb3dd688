import { hash } from 'node:crypto';

/**
 * 12 hexadecimal digits, 48 bits of SHA-256: enough to tell a changed text from an unchanged one, and to make a chance
 * collision within a cluster unlikely. It does not protect against forgery, and need not.
 */
export function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 12);
}
