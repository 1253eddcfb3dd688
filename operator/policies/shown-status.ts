import { shownText } from '../../core/shown.ts';

// The CRD allows 1,024 characters of a message, and 32,768 of a condition's.
const LONGEST_TEXT = 1_024;
const LONGEST_OF_CONDITION = 4_096;

/** Returns a status with each text in it as shownText() shows it, to everybody who may read policies. */
export function shownStatus<T extends object>(status: T): T {
  const whole = Object.entries(status as Record<string, unknown>).map(([field, value]) => [
    field,
    shownIn(value, field === 'conditions' ? LONGEST_OF_CONDITION : LONGEST_TEXT),
  ]);
  return Object.fromEntries(whole) as T;
}

function shownIn(value: unknown, most: number): unknown {
  if (typeof value === 'string') return shownText(value, most);
  if (Array.isArray(value)) return value.map((item) => shownIn(item, most));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, shownIn(inner, most)]));
}
