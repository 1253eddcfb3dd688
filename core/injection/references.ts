/**
 * References to Vault in the value of an environment variable, read as vault-env reads them: the twin of
 * vault-env/internal/reference/parse.go and fields.go, held to it by the table vault-env/testdata/references.json.
 *
 *   vault:PATH#KEY[#VERSION]             read PATH, take KEY
 *   vault:PATH#TEMPLATE[#VERSION]        read PATH, evaluate TEMPLATE (text with ${…} expressions) over its data
 *   >>vault:PATH#KEY_OR_TEMPLATE[#JSON]  write to PATH, take KEY or TEMPLATE of the answer
 *   vault:vN:CIPHERTEXT                  decrypt with the transit engine
 *   vault:login                          in the variable VAULT_TOKEN alone
 *   text ${vault:…} text                 any of them, any number of times
 *
 * A `$` in front of a reference makes it text and is removed: `$${vault:a#b}`, or `$vault:a#b` as the whole value.
 */
import {
  endOfJsonObject,
  hasControl,
  readSegment,
  ReferenceFault,
  skip,
  skipSpace,
  trimmed,
  unclosed,
} from './reference-text.ts';
import type { Cursor, Segment } from './reference-text.ts';
import { afterTransitVersion, isLogin, isMeant, LOGIN, prefixAt, READ, TYPO, WRITE } from './reference-meant.ts';
import { parseJson } from '../json.ts';

/** `start` and `end` are offsets in the value, with the `${` and `}` of an inline reference. */
export type Reference = { readonly start: number; readonly end: number } & (
  | ({ readonly kind: 'Read'; readonly path: string; readonly version?: string } & Selector)
  | ({ readonly kind: 'Write'; readonly path: string; readonly body?: string } & Selector)
  | { readonly kind: 'Transit'; readonly ciphertext: string }
  | { readonly kind: 'Login' }
);
interface Selector {
  readonly key?: string;
  readonly template?: string;
}

export interface ParsedValue {
  /** vault-env has something to do: resolve references, remove an escape, or reject what is malformed. */
  readonly refers: boolean;
  /** There is literal text, with references or an escape in it; false if one reference is the whole value. */
  readonly isInline: boolean;
  readonly references: readonly Reference[];
  /** The value is malformed: what to write instead, and where (1-based, in characters). */
  readonly fault?: { readonly message: string; readonly column: number };
}

const NOTHING: ParsedValue = { refers: false, isInline: false, references: [] };

/** Reads the value of the variable called `name`. Never throws. */
export function parseValue(name: string, value: string): ParsedValue {
  if (!value.includes(READ)) return NOTHING;
  try {
    return parseInline(value) ?? parseWhole(name, value);
  } catch (error) {
    if (!(error instanceof ReferenceFault)) throw error;
    const { message, column } = error;
    return { refers: true, isInline: false, references: [], fault: { message, column } };
  }
}

function parseWhole(name: string, value: string): ParsedValue {
  const escaped = /^\$+/.exec(value)?.[0].length;
  if (!isMeant(value, escaped ?? 0, false)) return NOTHING;
  if (escaped !== undefined) return { refers: true, isInline: true, references: [] };
  const cursor = { text: value, start: 0, at: 0, isInline: false, isWrite: false };
  const plain = readPlain(cursor);
  if (plain !== undefined) return whole(plain);
  if (value === LOGIN && name === 'VAULT_TOKEN') return whole({ kind: 'Login', start: 0, end: value.length });
  return whole(readReference(cursor));
}

function whole(reference: Reference): ParsedValue {
  return { refers: true, isInline: false, references: [reference] };
}

/** Finds inline references and escapes; returns undefined if there are none. */
function parseInline(value: string): ParsedValue | undefined {
  const references: Reference[] = [];
  let found = false;
  let taken = 0; // value[:taken] is used up by references and escapes
  for (let open = value.indexOf('${'); open >= 0;) {
    let at = open + 2;
    if (prefixAt(value, at) !== undefined) {
      if (open > taken && value[open - 1] === '$') {
        found = true;
        taken = open + 1;
      } else if (isMeant(value, at, true)) {
        found = true;
        const cursor = { text: value, start: open, at, isInline: true, isWrite: false };
        const reference = readPlain(cursor) ?? readReference(cursor);
        references.push(reference);
        at = taken = reference.end;
      }
    }
    open = value.indexOf('${', at);
  }
  return found ? { refers: true, isInline: true, references } : undefined;
}

/** Returns how to write the current reference, for messages. */
function form({ isInline, isWrite }: Cursor): string {
  const text = isWrite ? '>>vault:PATH#KEY' : 'vault:PATH#KEY';
  return isInline ? `\${${text}}` : text;
}

function formWithVersion({ isInline }: Cursor): string {
  return isInline ? '${vault:PATH#KEY#VERSION}' : 'vault:PATH#KEY#VERSION';
}

/**
 * Reads what nearly every reference is, names with nothing to trim, skip or reject, in 0.1 µs instead of 0.7. Returns
 * undefined for any other; the readers below handle those.
 */
function readPlain({ text, start, at, isInline }: Cursor): Reference | undefined {
  const plain = /vault:([\w-][\w.-]*(?:\/[\w-][\w.-]*)*)#([\w.-]+)(?:#([0-9]{1,9}))?/y;
  plain.lastIndex = at;
  const [, path, key, version] = plain.exec(text) ?? [];
  if (path === undefined || key === undefined) return undefined;
  if (isInline ? text[plain.lastIndex] !== '}' : plain.lastIndex < text.length) return undefined;
  const end = plain.lastIndex + (isInline ? 1 : 0);
  return version === undefined
    ? { kind: 'Read', path, key, start, end }
    : { kind: 'Read', path, key, version, start, end };
}

function readReference(cursor: Cursor): Reference {
  const { text, isInline, at } = cursor;
  const prefix = prefixAt(text, at) ?? READ;
  if (prefix === TYPO) {
    throw new ReferenceFault('a write begins with ">>vault:" and a read with "vault:": write one of them', text, at);
  }
  cursor.at += prefix.length;
  if (prefix === WRITE) {
    cursor.isWrite = true;
    return readSecret(cursor);
  }
  const ciphertextAt = afterTransitVersion(text, cursor.at);
  if (ciphertextAt !== undefined) return readCiphertext(cursor, at, ciphertextAt);
  if (isLogin(text, at, isInline)) {
    const message = '"vault:login" can only be the whole value of the variable VAULT_TOKEN: write ';
    throw new ReferenceFault(message + form(cursor), text, at);
  }
  return readSecret(cursor);
}

function readCiphertext(cursor: Cursor, at: number, ciphertextAt: number): Reference {
  const { text, isInline } = cursor;
  const end = isInline ? text.indexOf('}', ciphertextAt) : text.length;
  if (end < 0) throw unclosed(cursor);
  if (trimmed(text.slice(ciphertextAt, end)) === '') {
    throw new ReferenceFault('the ciphertext is missing: write vault:v1:CIPHERTEXT', text, ciphertextAt);
  }
  cursor.at = end;
  return { kind: 'Transit', ciphertext: trimmed(text.slice(at, end)), ...close(cursor) };
}

function readSecret(cursor: Cursor): Reference {
  const { text, isWrite } = cursor;
  const path = pathOf(cursor, readSegment(cursor, false));
  if (!skip(cursor, '#')) {
    throw new ReferenceFault(`there is no "#" after the path: write ${form(cursor)}`, text, cursor.at);
  }
  const selector = selectorOf(cursor, readSegment(cursor, true));
  const hasMore = skip(cursor, '#');
  if (isWrite) {
    const body = hasMore ? { body: readBody(cursor) } : {};
    return { kind: 'Write', path, ...selector, ...body, ...close(cursor) };
  }
  const version = hasMore ? { version: readVersion(cursor) } : {};
  return { kind: 'Read', path, ...selector, ...version, ...close(cursor) };
}

function close(cursor: Cursor): { start: number; end: number } {
  if (cursor.isInline && !skip(cursor, '}')) throw unclosed(cursor);
  return { start: cursor.start, end: cursor.at };
}

/** Returns the path without white space around it and without leading, trailing and doubled slashes. */
function pathOf(cursor: Cursor, { start, end }: Segment): string {
  const raw = cursor.text.slice(start, end);
  const fault = (message: string, offset = 0): ReferenceFault =>
    new ReferenceFault(message, cursor.text, start + offset);
  if (raw.includes('?')) {
    throw fault(`a path has no "?": write the version after the key, ${formWithVersion(cursor)}`, raw.indexOf('?'));
  }
  if (raw.includes('${')) {
    throw fault('"${" is not expanded in a path: write the path out, or $(NAME) in a manifest', raw.indexOf('${'));
  }
  const path = trimmed(raw);
  if (hasControl(path)) throw fault('the path holds a control character: remove it');
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw fault('the path holds a "." or ".." segment: write it out');
  }
  if (segments.length === 0) throw fault(`the path is missing: write ${form(cursor)}`);
  return segments.join('/');
}

function selectorOf(cursor: Cursor, { start, end, isTemplate }: Segment): Selector {
  const raw = cursor.text.slice(start, end);
  if (isTemplate) return { template: raw };
  const key = trimmed(raw);
  if (key === '') {
    throw new ReferenceFault(`the key is missing after "#": write ${form(cursor)}`, cursor.text, start);
  }
  if (hasControl(key)) throw new ReferenceFault('the key holds a control character: remove it', cursor.text, start);
  return { key };
}

function readVersion(cursor: Cursor): string {
  const { start, end } = readSegment(cursor, false);
  const version = trimmed(cursor.text.slice(start, end));
  if (!/^[0-9]{1,9}$/.test(version) || cursor.text[cursor.at] === '#') {
    const message = `the version is not a whole number: write ${formWithVersion(cursor)}, and \${"#"} for a "#" in a template`;
    throw new ReferenceFault(message, cursor.text, start);
  }
  return version;
}

function readBody(cursor: Cursor): string {
  const { text, isInline } = cursor;
  skipSpace(cursor);
  const start = cursor.at;
  const end = text[start] === '{' ? endOfJsonObject(text, start) : -1;
  if (end < 0 || parseJson(text.slice(start, end)) === undefined) {
    throw new ReferenceFault('the body is not a JSON object: write {"NAME":"VALUE"}', text, start);
  }
  cursor.at = end;
  skipSpace(cursor);
  if (cursor.at < text.length && !(isInline && text[cursor.at] === '}')) {
    throw new ReferenceFault('there is text after the JSON object: remove it', text, cursor.at);
  }
  return text.slice(start, end);
}
