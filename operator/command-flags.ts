import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';

import { SettingsError } from './settings-sources.ts';

/** What a command was given of its own flags, by their names: a text, true, or nothing. */
export interface OwnFlags<Name extends string> {
  readonly values: Readonly<Partial<Record<Name, string | boolean>>>;
  /** The other arguments, for readSettings(). */
  readonly rest: readonly string[];
}

/**
 * Takes the flags of a command itself out of argv, by the options of parseArgs. Throws SettingsError for one that lacks its
 * value, or has one that it does not take.
 */
export function takeFlags<Options extends ParseArgsOptionsConfig>(
  argv: readonly string[],
  options: Options,
): OwnFlags<Extract<keyof Options, string>> {
  const { tokens, values } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const taken = new Set<number>();
  for (const token of tokens) {
    if (token.kind !== 'option' || !Object.hasOwn(options, token.name)) continue;
    taken.add(token.index);
    // `-o json` are two arguments, `--output=json` and `-ojson` one
    if (token.value !== undefined && !token.inlineValue) taken.add(token.index + 1);
    const takesValue = options[token.name]?.type === 'string';
    if (takesValue && token.value === undefined) throw new SettingsError(`${token.rawName}: write a value after it`);
    if (!takesValue && token.value !== undefined) throw new SettingsError(`${token.rawName} takes no value`);
  }
  return { values: values as OwnFlags<string>['values'], rest: argv.filter((_, index) => !taken.has(index)) };
}
