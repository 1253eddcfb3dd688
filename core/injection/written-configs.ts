import type { Rule } from '../policy/rule.ts';

/** A value of VAULT_ENV_CONFIG. */
export interface Config {
  readonly value: string;
  readonly hash: string;
}

/**
 * The configuration that was written last under each rule, for as long as there is the rule: workloads without wishes of
 * their own nearly always get the same one. It changes no result, and is no larger than what the policy says.
 */
export class WrittenConfigs {
  readonly #last = new WeakMap<Rule, { readonly key: string; readonly config: Config }>();

  /** @param key all that the configuration depends on besides the rule */
  get(rule: Rule, key: string): Config | undefined {
    const last = this.#last.get(rule);
    return last?.key === key ? last.config : undefined;
  }

  set(rule: Rule, key: string, config: Config): void {
    this.#last.set(rule, { key, config });
  }
}
