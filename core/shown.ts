/** Texts for messages that people read in one line, of kubectl describe or of an Event. */

// The rest is only counted.
const SHOWN = 3;
const LONGEST_PATH = 100;

/** Returns the first three of the texts, and how many more there are. */
export function listed(texts: readonly string[]): string {
  const more = texts.length - SHOWN;
  return `${texts.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Returns the path, or the beginning of a very long one. */
export function shortened(path: string): string {
  return path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}…` : path;
}
