/**
 * Finds objects with too much in them in a JSON text before it is parsed. JSON.parse builds everything: three bytes of
 * text (`{},`) take 56 of memory, and 3 MiB of them 300 ms in one piece. One look at each byte takes a tenth of that, and
 * no memory. Pure.
 */
import { hash } from 'node:crypto';
import { MOST_OF_OBJECT, OVERSIZED_FIELD } from './oversized.ts';
import type { Oversized } from './oversized.ts';

/** The keys that lead to an object; `*` is each element of a list. */
export type ObjectPath = readonly string[];

export interface Trimmed {
  /** JSON, if the input was JSON: objects at the paths that are too large are replaced by what oversized.ts describes. */
  readonly text: string;
  /** Fields and elements of lists in the text, about. */
  readonly elements: number;
}

/** Texts with fewer bytes need no look: they have no room for so many elements, each of which takes two. */
export const SHORT_JSON = 2 * MOST_OF_OBJECT;

// Labels, annotations and scalars are kept of an object that is too large, unless they are too much themselves.
const MOST_KEPT = 5_000;
const LONGEST_KEPT = 524_288;

/**
 * Returns the text of `json`, with every object at one of the paths bounded: one with more than 32,000 fields and elements
 * is replaced by its head, and its managedFields by null if they have as many. Returns undefined if it is not JSON.
 */
export function trimObjects(json: Buffer, paths: readonly ObjectPath[]): Trimmed | undefined {
  const scanner = new Scanner(json);
  try {
    scanner.visit(paths);
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
  return { text: scanner.text(), elements: scanner.elements };
}

class NotJson extends Error {}

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Cut extends Span {
  readonly text: string;
}

/** What is kept of the metadata of an object that is too large. */
interface Head {
  readonly members: readonly string[];
  readonly hasLabels: boolean;
  /** Fields and elements in its managedFields, which do not count. */
  readonly managed: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;

/** Reads JSON from left to right. It accepts all JSON, and some of what is not: JSON.parse sees the rest. */
class Scanner {
  readonly #json: Buffer;
  #at = 0;
  /** Fields and elements so far, without those that were cut. */
  elements = 0;
  readonly #cuts: Cut[] = [];

  constructor(json: Buffer) {
    this.#json = json;
  }

  /** Returns what was read, with the cuts. */
  text(): string {
    let text = '';
    let from = 0;
    for (const { start, end, text: instead } of this.#cuts) {
      text += this.#json.toString('utf8', from, start) + instead;
      from = end;
    }
    return text + this.#json.toString('utf8', from);
  }

  /** Reads a value, and bounds the objects in it that these paths lead to. */
  visit(paths: readonly ObjectPath[]): void {
    const first = this.#peek();
    if (paths.some((path) => path.length === 0) && first === OPEN_BRACE) this.#object();
    else if (paths.length === 0) this.#skip();
    else if (first === OPEN_BRACE) this.#members((key) => this.visit(below(paths, key)));
    else if (first === OPEN_BRACKET && below(paths, '*').length > 0) this.#list(() => this.visit(below(paths, '*')));
    else this.#skip();
  }

  #object(): void {
    const start = this.#at;
    const before = this.elements;
    const cuts = this.#cuts.length;
    let head: Head = { members: [], hasLabels: true, managed: 0 };
    let template: Span = { start, end: start };
    const kept: string[] = [];
    this.#members((key, name) => {
      if (key === 'metadata' && this.#peek() === OPEN_BRACE) head = this.#metadata();
      else if (key === 'spec') template = this.#peek() === OPEN_BRACE ? this.#spec() : this.#span();
      else {
        const span = this.#span();
        if (this.#isScalar(span)) kept.push(`${name}:${this.#slice(span)}`);
      }
    });
    const elements = this.elements - before - head.managed;
    if (elements <= MOST_OF_OBJECT) return;
    const oversized: Oversized = {
      elements,
      hasLabels: head.hasLabels,
      template: hash('sha256', this.#json.subarray(template.start, template.end), 'hex'),
    };
    kept.push(`"metadata":{${head.members.join(',')}}`, `"${OVERSIZED_FIELD}":${JSON.stringify(oversized)}`);
    this.#cuts.splice(cuts, Infinity, { start, end: this.#at, text: `{${kept.join(',')}}` });
    this.elements = before + kept.length + head.members.length;
  }

  /** Returns where its template is; without one, where all of it is. */
  #spec(): Span {
    const start = this.#at;
    let template: Span | undefined;
    this.#members((key) => {
      const span = this.#span();
      if (key === 'template') template = span;
    });
    return template ?? { start, end: this.#at };
  }

  #metadata(): Head {
    const members: string[] = [];
    let hasLabels = true;
    let managed = 0;
    this.#members((key, name) => {
      const before = this.elements;
      const span = this.#span();
      const count = this.elements - before;
      if (key === 'managedFields') {
        if (count <= MOST_OF_OBJECT) {
          managed = count;
          return;
        }
        this.#cuts.push({ ...span, text: 'null' });
        this.elements = before;
        return;
      }
      const isKept =
        (this.#isScalar(span) || key === 'labels' || key === 'annotations') &&
        count <= MOST_KEPT &&
        span.end - span.start <= LONGEST_KEPT;
      if (isKept) members.push(`${name}:${this.#slice(span)}`);
      else if (key === 'labels') hasLabels = false;
    });
    return { members, hasLabels, managed };
  }

  /** Reads an object; `each` reads the value of a member, and gets its key and the same as it is written. */
  #members(each: (key: string, name: string) => void): void {
    this.#expect(OPEN_BRACE);
    if (this.#peek() === CLOSE_BRACE) {
      this.#at++;
      return;
    }
    for (;;) {
      this.elements++;
      this.#peek();
      const start = this.#at;
      this.#expect(QUOTE);
      this.#at = endOfString(this.#json, this.#at);
      const name = this.#slice({ start, end: this.#at });
      this.#expect(COLON);
      this.#peek();
      each(name.slice(1, -1), name);
      if (!this.#goesOn(CLOSE_BRACE)) return;
    }
  }

  #list(each: () => void): void {
    this.#expect(OPEN_BRACKET);
    if (this.#peek() === CLOSE_BRACKET) {
      this.#at++;
      return;
    }
    do {
      this.elements++;
      this.#peek();
      each();
    } while (this.#goesOn(CLOSE_BRACKET));
  }

  #span(): Span {
    const start = this.#at;
    this.#skip();
    return { start, end: this.#at };
  }

  /** Reads a value and counts what is in it. */
  #skip(): void {
    const first = this.#peek();
    if (first === QUOTE) this.#at = endOfString(this.#json, this.#at + 1);
    else if (first === OPEN_BRACE || first === OPEN_BRACKET) this.#skipContainer();
    else if (first === CLOSE_BRACE || first === CLOSE_BRACKET || first === COMMA || first === COLON)
      throw new NotJson();
    else this.#at = endOfScalar(this.#json, this.#at);
  }

  /** Looks only at what begins, ends and divides: every byte of a large body passes here. */
  #skipContainer(): void {
    const json = this.#json;
    const { length } = json;
    let at = this.#at;
    let depth = 0;
    let count = 0;
    while (at < length) {
      const byte = json[at++];
      if (byte === QUOTE) at = endOfString(json, at);
      else if (byte === COMMA) count++;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        depth++;
        while (at < length && (json[at] ?? 0) <= SPACE) at++;
        // its first element; commas come before all others
        if (json[at] !== CLOSE_BRACE && json[at] !== CLOSE_BRACKET) count++;
      } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) {
        this.#at = at;
        this.elements += count;
        return;
      }
    }
    throw new NotJson();
  }

  #isScalar({ start }: Span): boolean {
    const byte = this.#json[start];
    return byte !== OPEN_BRACE && byte !== OPEN_BRACKET;
  }

  #slice({ start, end }: Span): string {
    return this.#json.toString('utf8', start, end);
  }

  /** Returns the next byte that is no white space, and stays before it. */
  #peek(): number {
    for (; this.#at < this.#json.length; this.#at++) {
      const byte = this.#json[this.#at] ?? 0;
      if (byte > SPACE) return byte;
    }
    throw new NotJson();
  }

  #expect(byte: number): void {
    if (this.#peek() !== byte) throw new NotJson();
    this.#at++;
  }

  /** Reads what follows an element: a comma, or the end. Returns whether there is another one. */
  #goesOn(end: number): boolean {
    const byte = this.#peek();
    this.#at++;
    if (byte === COMMA) return true;
    if (byte === end) return false;
    throw new NotJson();
  }
}

/** Returns where a string ends that begins before `at`. */
function endOfString(json: Buffer, at: number): number {
  const { length } = json;
  let next = at;
  while (next < length) {
    const byte = json[next++];
    if (byte === QUOTE) return next;
    if (byte === BACKSLASH) next++;
  }
  throw new NotJson();
}

/** Returns where a number, true, false or null ends. */
function endOfScalar(json: Buffer, at: number): number {
  const { length } = json;
  let next = at;
  for (; next < length; next++) {
    const byte = json[next] ?? 0;
    if (byte <= SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) break;
  }
  return next;
}

/** Returns what is left of the paths that go by this key. */
function below(paths: readonly ObjectPath[], key: string): ObjectPath[] {
  return paths.filter(([first]) => first === key).map((path) => path.slice(1));
}
