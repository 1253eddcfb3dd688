import { parseDuration } from '../duration.ts';
import type { Rule } from './rule.ts';

/** Returns the milliseconds until vault-env has started the program, or has given up. */
export function longestStartMs({ vault, process }: Pick<Rule, 'vault' | 'process'>): number {
  return (parseDuration(vault.timeout) ?? 0) + (parseDuration(process.delay) ?? 0);
}
