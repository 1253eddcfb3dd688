/** What the author of a policy has agreed to and everybody should know of, for its status. Pure. */
import type { Rule } from './rule.ts';

/** Returns the end of a sentence about the policy for each, or nothing. */
export function consentsOf({ vault }: Pick<Rule, 'vault'>): readonly string[] {
  return [
    ...(vault.allowPlaintext ? ['tokens and secrets travel to Vault unencrypted (vault.allowPlaintext)'] : []),
    ...(vault.auth.isForAPIServer
      ? ['anybody who sees a token of its pods can use it at the API server, until vault.auth.audience is one of Vault']
      : []),
  ];
}
