import { asObject, parseJson } from '../core/json.ts';

// In the order in which they come first; all others follow as they are in the line.
const HEAD = ['time', 'level', 'msg'] as const;
const LEVEL_WIDTH = 5;
// What needs no quotes: nothing in it ends the value or looks like another field.
const BARE = /^[^\s"'=,{}[\]]+$/;

/**
 * Returns a line of the log, in JSON, as a line for people: time, level, message, and the other fields as name=value.
 * Texts with blanks or signs in them are quoted as in JSON, so that no value looks like another field. A line that is not
 * JSON is returned as it is.
 */
export function textLine(line: string): string {
  const fields = asObject(parseJson(line));
  if (fields === undefined) return line;
  const { time, level, msg } = fields;
  const rest = Object.entries(fields).filter(([name]) => !(HEAD as readonly string[]).includes(name));
  const message = shown(msg);
  // a message may repeat what another server has said
  const said = message.includes('=') ? JSON.stringify(message) : message;
  const head = [shown(time), shown(level).toUpperCase().padEnd(LEVEL_WIDTH), said];
  const tail = rest.map(([name, value]) => `${BARE.test(name) ? name : JSON.stringify(name)}=${valueOf(value)}`);
  return `${[...head, ...tail].join(' ')}\n`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

function valueOf(value: unknown): string {
  if (typeof value === 'string') return BARE.test(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(valueOf).join(',')}]`;
  return JSON.stringify(value);
}
