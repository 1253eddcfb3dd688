/**
 * Reads variables of the environment as OpenTelemetry's specification says: an empty one counts as not set, and a value that
 * cannot be used is told and ignored, so that a wrong variable never keeps the operator from starting
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 */
import { shownText } from '../../core/shown.ts';

const LONGEST_SHOWN = 60;
// RFC 9110, 5.6.2: token; and what Node takes as the value of a header.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

export class Variables {
  readonly #env: NodeJS.ProcessEnv;
  readonly #problems: string[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** What is wrong, and what to write instead, in the order of reading. No sentence has a value that may be secret. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  problem(sentence: string): void {
    this.#problems.push(sentence);
  }

  /** Returns the first variable that is set, with its value. */
  first(...names: readonly string[]): { readonly name: string; readonly value: string } | undefined {
    for (const name of names) {
      const value = this.#env[name]?.trim() ?? '';
      if (value !== '') return { name, value };
    }
    return undefined;
  }

  isTrue(name: string): boolean {
    const value = this.first(name)?.value;
    const isTrue = value?.toLowerCase() === 'true';
    if (value !== undefined && !isTrue && value.toLowerCase() !== 'false') this.#unusable(name, value, 'true or false');
    return isTrue;
  }

  /** Returns a whole number from `least` to `most`, or the default. */
  wholeNumber(names: readonly string[], byDefault: number, least: number, most: number): number {
    const found = this.first(...names);
    if (found === undefined) return byDefault;
    const number = /^\d{1,15}$/.test(found.value) ? Number(found.value) : NaN;
    if (number >= least && number <= most) return number;
    this.#unusable(found.name, found.value, `a whole number from ${least} to ${most}`, String(byDefault));
    return byDefault;
  }

  /** Returns a share from 0 to 1; 1 is the default. */
  share(name: string): number {
    const value = this.first(name)?.value;
    if (value === undefined) return 1;
    const number = /^[\d.]{1,20}$/.test(value) ? Number(value) : NaN;
    if (number >= 0 && number <= 1) return number;
    this.#unusable(name, value, 'a number from 0 to 1, such as 0.01', '1');
    return 1;
  }

  /** Returns one of some words, or the default; undefined if another word is written, which is told. */
  oneOf<T extends string>(names: readonly string[], allowed: readonly T[], byDefault: T): T | undefined {
    const found = this.first(...names);
    if (found === undefined) return byDefault;
    const word = allowed.find((one) => one === found.value);
    if (word === undefined) this.#unusable(found.name, found.value, allowed.join(', '));
    return word;
  }

  /**
   * Returns pairs such as `a=b,c=d%20e`. None of them if one is malformed, which is told without the text: headers are
   * credentials.
   */
  pairs(name: string): Readonly<Record<string, string>> {
    const text = this.first(name)?.value;
    if (text === undefined) return {};
    const pairs: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const pair of text.split(',')) {
      if (pair.trim() === '') continue;
      const at = pair.indexOf('=');
      const key = at < 0 ? '' : pair.slice(0, at).trim();
      const value = decoded(pair.slice(at + 1).trim());
      if (key === '' || value === undefined) {
        this.problem(
          `${name} is ignored: write name=value, separated by commas, with other characters as in URLs (%2C)`,
        );
        return {};
      }
      pairs[key] = value;
    }
    return pairs;
  }

  /** The same for headers; those that HTTP does not allow, or that the operator sets itself, are left out and told. */
  headers(name: string): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    for (const [key, value] of Object.entries(this.pairs(name))) {
      const header = key.toLowerCase();
      if (!TOKEN.test(header) || !FIELD_VALUE.test(value)) {
        this.problem(`a header in ${name} is left out: HTTP does not allow its name or its value`);
      } else if (OWN_HEADERS.has(header)) {
        this.problem(`the header ${header} in ${name} is left out: the operator sets it itself`);
      } else headers[header] = value;
    }
    return headers;
  }

  #unusable(name: string, value: string, allowed: string, instead?: string): void {
    const taken = instead === undefined ? '' : `; ${instead} is taken`;
    this.problem(`${name} is ${JSON.stringify(shownText(value, LONGEST_SHOWN))}: write ${allowed}${taken}`);
  }
}

const OWN_HEADERS: ReadonlySet<string> = new Set([
  ...['connection', 'content-encoding', 'content-length', 'content-type', 'expect', 'host', 'keep-alive'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'user-agent'],
]);

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
