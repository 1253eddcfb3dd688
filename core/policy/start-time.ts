import { parseDuration } from '../duration.ts';
import type { Rule } from './rule.ts';

/** Returns the milliseconds until vault-env has started the program, or has given up. */
export function longestStartMs({ vault, process }: Pick<Rule, 'vault' | 'process'>): number {
  return (parseDuration(vault.timeout) ?? 0) + (parseDuration(process.delay) ?? 0);
}

// New pods that are available may still fail: while vault-env asks Vault where nothing tells that, or because the program
// does not like what it got.
const SETTLED_MS = 5_000;

/** Returns for how many milliseconds new pods have to be available without a break to count as started. */
export function settleMs(rule: Pick<Rule, 'vault' | 'process'>): number {
  return longestStartMs(rule) + SETTLED_MS;
}
