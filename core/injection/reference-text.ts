/**
 * Reads one reference piece by piece: segments between `#`, template expressions with what Go's text/template skips in
 * them, JSON bodies. The twin of vault-env/internal/reference/scan.go.
 */

/** A malformed reference. Its message says what to write instead and contains no part of the value. */
export class ReferenceFault extends Error {
  /** 1-based, in characters. */
  readonly column: number;

  constructor(message: string, text: string, at: number) {
    super(message);
    this.column = Array.from(text.slice(0, at)).length + 1;
  }
}

/** Reads one reference of `text`; an inline one ends at the `}` that closes it, any other at the end of the text. */
export interface Cursor {
  readonly text: string;
  /** Where the reference begins, including the `${` of an inline one. */
  readonly start: number;
  readonly isInline: boolean;
  isWrite: boolean;
  at: number;
}

export interface Segment {
  readonly start: number;
  readonly end: number;
  /** It contains at least one ${…} expression. */
  readonly isTemplate: boolean;
}

/** Reads up to the next `#` or the end of the reference. With `expressions`, ${…} is skipped as a whole. */
export function readSegment(cursor: Cursor, expressions: boolean): Segment {
  const { text, isInline } = cursor;
  const start = cursor.at;
  let isTemplate = false;
  let depth = 0;
  for (; cursor.at < text.length; cursor.at++) {
    const c = text[cursor.at];
    if (c === '#') return { start, end: cursor.at, isTemplate };
    if (c === '$' && expressions && text[cursor.at + 1] === '{') {
      isTemplate = true;
      cursor.at = endOfExpression(text, cursor.at) - 1;
    } else if (c === '{' && isInline) {
      depth++;
    } else if (c === '}' && isInline) {
      if (depth === 0) return { start, end: cursor.at, isTemplate };
      depth--;
    }
  }
  if (isInline) throw unclosed(cursor);
  return { start, end: cursor.at, isTemplate };
}

export function unclosed({ text, start }: Cursor): ReferenceFault {
  const message = 'the reference has no closing "}": close it, or write "$${vault:" for the literal text';
  return new ReferenceFault(message, text, start);
}

/** Returns the offset after the template expression that begins with the `${` at `open`. */
function endOfExpression(text: string, open: number): number {
  let at = open + 2;
  if (text[at] === '-' && isSpace(text[at + 1])) at += 2;
  if (text.startsWith('/*', at)) {
    const end = text.indexOf('*/', at);
    if (end < 0) throw new ReferenceFault('a template comment has no closing "*/": write ${/* COMMENT */}', text, at);
    at = end + 2;
  }
  for (let depth = 0; at < text.length; at++) {
    const c = text[at];
    if (c === '"' || c === "'" || c === '`') {
      const end = endOfLiteral(text, at);
      if (end < 0) {
        const message = 'a string in a template expression has no closing quote: close it';
        throw new ReferenceFault(message, text, at);
      }
      at = end - 1;
    } else if (c === '{') {
      depth++;
    } else if (c === '}' && depth-- === 0) {
      return at + 1;
    }
  }
  throw new ReferenceFault('a template expression has no closing "}": write ${.KEY}', text, open);
}

/** Returns the offset after the quoted literal that begins at `open`, or -1. Only raw strings span lines. */
function endOfLiteral(text: string, open: number): number {
  const quote = text[open];
  for (let at = open + 1; at < text.length; at++) {
    const c = text[at];
    if (c === quote) return at + 1;
    if (quote === '`') continue;
    if (c === '\\') at++;
    else if (c === '\n') return -1;
  }
  return -1;
}

/** Returns the offset after the JSON object that begins at `open`, or -1. */
export function endOfJsonObject(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    const c = text[at];
    if (c === '"') {
      const end = endOfLiteral(text, at);
      if (end < 0) return -1;
      at = end - 1;
    } else if (c === '{') {
      depth++;
    } else if (c === '}' && --depth === 0) {
      return at + 1;
    }
  }
  return -1;
}

export function skip(cursor: Cursor, c: string): boolean {
  if (cursor.text[cursor.at] !== c) return false;
  cursor.at++;
  return true;
}

export function skipSpace(cursor: Cursor): void {
  while (isSpace(cursor.text[cursor.at])) cursor.at++;
}

/**
 * Returns the text without leading and trailing white space: only what YAML and line breaks add, not all Unicode
 * spaces.
 */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

export function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f]/.test(text);
}

function isSpace(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\n' || c === '\r';
}
