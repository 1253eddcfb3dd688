/**
 * The token in the paths of the webhook, `/mutate/TOKEN/ENTRY`, which only API servers know: 160 random bits in hex, because
 * the parts of a path to a Service may hold lower case letters and digits only. It has a shape of its own, so that it can
 * be taken out of any text.
 */

export const TOKEN_LENGTH = 40;
const IN_PATH = new RegExp(`/mutate/[0-9a-f]{${TOKEN_LENGTH}}(?![0-9a-f])`, 'g');
const TOKEN = new RegExp(`^[0-9a-f]{${TOKEN_LENGTH}}$`);

export function isPathToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Returns the text with dots for each token: API servers repeat the URL of a webhook in their errors. */
export function withoutPathTokens(text: string): string {
  return text.replaceAll(IN_PATH, '/mutate/…');
}
