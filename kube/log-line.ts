import { shownText } from '../core/shown.ts';
import { asObject, parseJson } from '../core/json.ts';

// The stack of an error has ten frames of some hundred characters.
const LONGEST_TEXT = 4_096;
/** Characters in all texts of a line. */
const LONGEST_LINE = 16_384;
const MOST_ITEMS = 50;
const LONGEST_NAME = 100;
// With a backslash, JSON escapes something.
const PLAIN = /^[\u0020-\u005b\u005d-\u007e]*\n$/;

/**
 * Returns a line of the log, in JSON, with each text in it as shownText() shows it, no matter who prints the fields of the line
 * later. What is too long is cut.
 */
export function shownLine(line: string): string {
  if (line.length <= LONGEST_TEXT && PLAIN.test(line)) return line;
  const fields = asObject(parseJson(line));
  if (fields === undefined) return `${JSON.stringify({ msg: shownText(line, LONGEST_TEXT) })}\n`;
  return `${JSON.stringify(shownIn(fields, { left: LONGEST_LINE }))}\n`;
}

function shownIn(value: unknown, room: { left: number }): unknown {
  if (typeof value === 'string') {
    const text = shownText(value, Math.max(1, Math.min(LONGEST_TEXT, room.left)));
    room.left -= text.length;
    return text;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const more = value.length - MOST_ITEMS;
    const shown = value.slice(0, MOST_ITEMS).map((item) => shownIn(item, room));
    return more > 0 ? [...shown, `… and ${more} more`] : shown;
  }
  const fields = Object.entries(value).slice(0, MOST_ITEMS);
  return Object.fromEntries(fields.map(([name, field]) => [shownText(name, LONGEST_NAME), shownIn(field, room)]));
}
