import { Listeners } from '../../kube/listeners.ts';
import { equal } from '../../core/json.ts';
import { keyOf } from '../../core/object.ts';
import { compareText } from '../../core/order.ts';
import type { Rule, RuleSnapshot } from '../../core/policy/rule.ts';

/** A namespace with rules, and their failure policies for when the webhook cannot answer. */
export interface RuledNamespace {
  readonly name: string;
  /** Each of them once, Fail first. */
  readonly failurePolicies: readonly Rule['failurePolicy'][];
}

const NO_RULES: readonly Rule[] = [];

/**
 * All rules in force. Readers take a snapshot, which never changes; a write copies what a snapshot may still share.
 * Reading costs one look-up, however many policies the cluster has.
 */
export class RuleCache {
  #rules = new Map<string, readonly Rule[]>();
  #version = 0;
  #snapshot: RuleSnapshot | undefined;
  readonly #listeners = new Listeners<[namespace: string]>();

  /** Returns the current rules: the same object until something changes. */
  snapshot(): RuleSnapshot {
    const rules = this.#rules;
    this.#snapshot ??= { version: this.#version, rulesFor: (namespace) => rules.get(namespace) ?? NO_RULES };
    return this.#snapshot;
  }

  /** Replaces the policy's rule. Returns false if an equal one was there already. */
  set(rule: Rule): boolean {
    const { namespace, name } = rule.policy;
    const before = this.#rules.get(namespace) ?? NO_RULES;
    if (before.some((other) => equal(other, rule))) return false;
    this.#replaceNamespace(namespace, [...before.filter((other) => other.policy.name !== name), rule]);
    return true;
  }

  /** Removes the rule of a policy. Returns false if there was none. */
  delete(namespace: string, name: string): boolean {
    const before = this.#rules.get(namespace) ?? NO_RULES;
    const after = before.filter((rule) => rule.policy.name !== name);
    if (after.length === before.length) return false;
    this.#replaceNamespace(namespace, after);
    return true;
  }

  /** Replaces all rules at once; of two for the same policy the later one counts. */
  replaceAll(rules: Iterable<Rule>): void {
    const byPolicy = new Map<string, Rule>();
    for (const rule of rules) byPolicy.set(keyOf(rule.policy), rule);
    const grouped = Map.groupBy(byPolicy.values(), (rule) => rule.policy.namespace);
    const sorted = new Map([...grouped].map(([namespace, group]) => [namespace, group.sort(winnerFirst)]));
    const before = this.#rules;
    const names = new Set([...before.keys(), ...sorted.keys()]);
    const changed = [...names].filter((name) => !equal(before.get(name), sorted.get(name)));
    if (changed.length > 0) this.#change(sorted, changed);
  }

  /** Calls `listener` with each namespace after its rules have changed. The listener must only note it. */
  onChange(listener: (namespace: string) => void): void {
    this.#listeners.add(listener);
  }

  /** Returns the namespaces that have rules, by name. */
  namespaces(): readonly RuledNamespace[] {
    return [...this.#rules]
      .map(([name, rules]) => ({
        name,
        failurePolicies: (['Fail', 'Ignore'] as const).filter((kind) => rules.some((r) => r.failurePolicy === kind)),
      }))
      .sort((a, b) => compareText(a.name, b.name));
  }

  #replaceNamespace(namespace: string, rules: readonly Rule[]): void {
    const changed = this.#snapshot === undefined ? this.#rules : new Map(this.#rules);
    if (rules.length === 0) changed.delete(namespace);
    else changed.set(namespace, rules.toSorted(winnerFirst));
    this.#change(changed, [namespace]);
  }

  #change(rules: Map<string, readonly Rule[]>, namespaces: readonly string[]): void {
    this.#rules = rules;
    this.#version += 1;
    this.#snapshot = undefined;
    for (const namespace of namespaces) this.#listeners.notify(namespace);
  }
}

/**
 * Compares rules for sort(): of those that match a workload the first one applies. By priority, then age, then name.
 */
export function winnerFirst(a: Rule, b: Rule): number {
  return (
    b.priority - a.priority || a.policy.createdAt - b.policy.createdAt || compareText(a.policy.name, b.policy.name)
  );
}
