/** What a registry requires before it answers: the WWW-Authenticate header of its 401 (RFC 9110, 11.6.1). */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SPACE = /[ \t]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
// Node accepts headers up to 16 KiB; a genuine challenge is far shorter.
const LONGEST = 4096;

/**
 * Returns the challenges of a header, which may contain several and occur several times. It reads what it understands
 * and stops at the first thing that it does not.
 */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const texts = typeof header === 'string' ? [header] : (header ?? []);
  return texts.flatMap((text) => challengesIn(text.slice(0, LONGEST)));
}

function challengesIn(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    at = pattern.lastIndex;
    return found[1] ?? found[0];
  };
  for (;;) {
    do take(SPACE);
    while (text[at] === ',' && at++ < text.length);
    const name = take(TOKEN)?.toLowerCase();
    if (name === undefined) return challenges;
    const current = challenges.at(-1);
    if (current === undefined || take(EQUALS) === undefined) {
      challenges.push({ scheme: name, parameters: {} });
      continue;
    }
    const value = take(QUOTED)?.replaceAll(/\\(.)/g, '$1') ?? take(TOKEN);
    if (value === undefined) return challenges;
    current.parameters[name] ??= value;
  }
}
