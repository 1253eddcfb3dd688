/** What a story found, as Markdown: its own table, and its aims beside what was reached. */
import { table } from '../bench/table.ts';

export interface Aim {
  readonly what: string;
  /** In words, such as "at most 5". */
  readonly aim: string;
  readonly found: string;
  readonly isMet: boolean;
}

export interface Report {
  readonly title: string;
  /** Markdown of the story's own; '' if its aims tell everything. */
  readonly details: string;
  readonly aims: readonly Aim[];
}

/** Returns an aim that a number is at most `limit`. A number that is not known misses it. */
export function atMost(limit: number, what: string, found: number, unit = ''): Aim {
  return { what, aim: `at most ${limit}${unit}`, found: `${shown(found)}${unit}`, isMet: found <= limit };
}

/** Returns an aim that something never happens. */
export function never(what: string, found: number): Aim {
  return { what, aim: '0', found: String(found), isMet: found === 0 };
}

/** Returns an aim that something happens at least so often, without which the story shows nothing. */
export function atLeast(limit: number, what: string, found: number): Aim {
  return { what, aim: `at least ${limit}`, found: shown(found), isMet: found >= limit };
}

export function isMet({ aims }: Report): boolean {
  return aims.every((aim) => aim.isMet);
}

export function markdownOf({ title, details, aims }: Report): string {
  const rows = aims.map(({ what, aim, found, isMet: met }) => [what, met ? found : `**${found}, missed**`, aim]);
  const parts = [`## ${title}`, details, rows.length === 0 ? '' : table([['', 'found', 'aim'], ...rows])];
  return parts.filter((part) => part !== '').join('\n\n');
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
