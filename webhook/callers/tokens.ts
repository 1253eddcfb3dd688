import { hash, timingSafeEqual } from 'node:crypto';

/** Bearer tokens (RFC 6750) by which API servers authenticate. Pure. */

const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
// Such as 20 random bytes in base64: what is shorter may be guessed.
const SHORTEST = 27;
// A ServiceAccount's token has about 1 kB; a header of Node.js holds 16 kB.
const LONGEST = 8_192;

export type TokenFile = { readonly tokens: readonly string[] } | { readonly fault: string };

/**
 * Reads a file with one token in each line; lines that are empty or begin with # do not count. A fault says what to write
 * instead, and never what is there.
 */
export function readTokens(text: string): TokenFile {
  const lines = text.split('\n').map((line, at) => ({ token: line.trim(), number: at + 1 }));
  const tokens = lines.filter(({ token }) => token !== '' && !token.startsWith('#'));
  const advice = 'write one token in each line, such as openssl rand -hex 32 makes';
  if (tokens.length === 0) return { fault: `it contains no token; ${advice}` };
  for (const { token, number } of tokens) {
    if (token.length < SHORTEST) return { fault: `line ${number} is shorter than ${SHORTEST} characters; ${advice}` };
    if (token.length > LONGEST) return { fault: `line ${number} is longer than ${LONGEST} characters; ${advice}` };
    if (!TOKEN.test(token)) return { fault: `line ${number} has characters that no bearer token may have; ${advice}` };
  }
  return { tokens: tokens.map(({ token }) => token) };
}

/** The tokens that are accepted. It keeps their digests alone. */
export class Tokens {
  readonly #digests: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.#digests = tokens.map(digestOf);
  }

  /** Whether an Authorization header has one of them. How long that takes tells nothing about them. */
  has(header: string | undefined): boolean {
    const [, token] = /^bearer +([^ ]+) *$/i.exec(header ?? '') ?? [];
    if (token === undefined || token.length > LONGEST) return false;
    const given = digestOf(token);
    let isOne = false;
    for (const digest of this.#digests) isOne = timingSafeEqual(digest, given) || isOne;
    return isOne;
  }
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
