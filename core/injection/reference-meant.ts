/**
 * Tells what is meant as a reference from text that begins alike: `vault://`, `vault:1.15.2`, `vault:8200,vault-1:8200`,
 * `${vault:none}`. The twin of vault-env/internal/reference/meant.go.
 */
import { trimmed } from './reference-text.ts';

export const READ = 'vault:';
export const WRITE = '>>vault:';
export const TYPO = '>vault:';
export const LOGIN = 'vault:login';

// How often the same braces are read when they are nested in each other.
const MOST_BRACES = 32;

/**
 * Returns whether the text at an offset is meant as a reference, well-formed or not: it has a `#`, a transit version or
 * the word login, or it is a path with a slash, which lacks its key.
 */
export function isMeant(text: string, at: number, isInline: boolean): boolean {
  const prefix = prefixAt(text, at);
  if (prefix === undefined) return false;
  const start = at + prefix.length;
  if (prefix === READ && (isLogin(text, at, isInline) || afterTransitVersion(text, start) !== undefined)) return true;
  if (!isInline) return text.includes('#', start) || lacksKey(trimmed(text.slice(start)));
  let end = start;
  for (let depth = 0; end < text.length; end++) {
    const c = text[end];
    if (c === '#') return true;
    if (c === '{' && ++depth > MOST_BRACES) return true;
    if (c === '}' && depth-- === 0) break;
  }
  return lacksKey(trimmed(text.slice(start, end)));
}

/** Returns how a reference at this offset begins; undefined if there is none. */
export function prefixAt(text: string, at: number): string | undefined {
  if (text.startsWith(READ, at)) return READ;
  if (text.startsWith(WRITE, at)) return WRITE;
  return text.startsWith(TYPO, at) ? TYPO : undefined;
}

/** Whether the text at an offset is `vault:login` and nothing else. */
export function isLogin(text: string, at: number, isInline: boolean): boolean {
  if (!text.startsWith(LOGIN, at)) return false;
  const end = at + LOGIN.length;
  return end === text.length || (isInline && text[end] === '}');
}

/** Returns where the ciphertext begins if there is `vN:` at the offset. */
export function afterTransitVersion(text: string, at: number): number | undefined {
  const header = /v[0-9]+:/y;
  header.lastIndex = at;
  return header.test(text) ? header.lastIndex : undefined;
}

/**
 * Whether text without a `#` is the path of a secret: it begins with a name and has a slash, or has a $(NAME) that may
 * become one. Hosts, addresses, users with passwords, lists, sentences and the operators of shells are none.
 */
function lacksKey(text: string): boolean {
  return (
    /^[\w$\u0080-\uffff]/.test(text) &&
    /\/|\$\(/.test(text) &&
    !text.includes('//') &&
    !/^[0-9]{1,5}[/:]/.test(text) &&
    !/[\u0000-\u0020\u007f,;@|"'`<>\\]/.test(text)
  );
}
