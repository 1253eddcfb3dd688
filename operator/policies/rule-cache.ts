import { Listeners } from '../../kube/listeners.ts';
import { equal } from '../../core/json.ts';
import { failurePoliciesOf, isUsable, winnerFirst } from '../../core/policy/governing.ts';
import type { KindPolicies } from '../../core/policy/governing.ts';
import type { Governor, Rule, Rules, RuleSnapshot, UnusablePolicy } from '../../core/policy/rule.ts';

/** What governs one namespace, each list with the winner first. */
interface Governed {
  readonly rules: readonly Rule[];
  readonly unusable: readonly UnusablePolicy[];
  readonly kinds: KindPolicies;
}

const NOTHING: Governed = { rules: [], unusable: [], kinds: new Map() };

/**
 * What every unsuspended policy says: its rule, or what can be read of it if it cannot be used. Readers take a snapshot,
 * which never changes; a write copies what a snapshot may still share. Reading costs one look-up, however many policies
 * the cluster has.
 */
export class RuleCache implements Rules {
  #governed = new Map<string, Governed>();
  #version = 0;
  #snapshot: RuleSnapshot | undefined;
  readonly #listeners = new Listeners<[namespace: string]>();

  /**
   * Returns the current rules: the same object until something changes. The next change then copies the list of
   * namespaces, so a reader that does not keep the rules over a wait reads the cache itself.
   */
  snapshot(): RuleSnapshot {
    const governed = this.#governed;
    const of = (namespace: string): Governed => governed.get(namespace) ?? NOTHING;
    this.#snapshot ??= {
      version: this.#version,
      rulesFor: (namespace) => of(namespace).rules,
      unusableFor: (namespace) => of(namespace).unusable,
    };
    return this.#snapshot;
  }

  rulesFor(namespace: string): readonly Rule[] {
    return (this.#governed.get(namespace) ?? NOTHING).rules;
  }

  unusableFor(namespace: string): readonly UnusablePolicy[] {
    return (this.#governed.get(namespace) ?? NOTHING).unusable;
  }

  /** Replaces what is known of the policy. Returns false if it was the same before. */
  set(governor: Governor): boolean {
    const { namespace } = governor.policy;
    const before = this.#governed.get(namespace) ?? NOTHING;
    if (both(before).some((other) => equal(other, governor))) return false;
    this.#replace(namespace, [...both(before).filter(otherThan(governor.policy.name)), governor]);
    return true;
  }

  /** Removes a policy. Returns false if there was none. */
  delete(namespace: string, name: string): boolean {
    const before = both(this.#governed.get(namespace) ?? NOTHING);
    const after = before.filter(otherThan(name));
    if (after.length === before.length) return false;
    this.#replace(namespace, after);
    return true;
  }

  /** Returns what governs for this policy, not for an earlier one with the same name. */
  of({ namespace, name, uid }: Pick<Rule['policy'], 'namespace' | 'name' | 'uid'>): Governor | undefined {
    const all = both(this.#governed.get(namespace) ?? NOTHING);
    return all.find(({ policy }) => policy.name === name && policy.uid === uid);
  }

  /** Calls `listener` with each namespace after its rules have changed. The listener must only note it. */
  onChange(listener: (namespace: string) => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Returns the namespaces that policies govern, in no order, with the kinds that they name there, and what is to happen
   * to each kind if the webhook cannot answer: for a namespace the same object until its policies change.
   */
  namespaces(): ReadonlyMap<string, KindPolicies> {
    return new Map([...this.#governed].map(([name, { kinds }]) => [name, kinds]));
  }

  /** Returns how many policies have a rule. */
  get size(): number {
    return [...this.#governed.values()].reduce((sum, { rules }) => sum + rules.length, 0);
  }

  #replace(namespace: string, governors: readonly Governor[]): void {
    const changed = this.#snapshot === undefined ? this.#governed : new Map(this.#governed);
    if (governors.length === 0) changed.delete(namespace);
    else {
      const sorted = governors.toSorted(winnerFirst);
      changed.set(namespace, {
        rules: sorted.filter(isUsable),
        unusable: sorted.filter((one): one is UnusablePolicy => !isUsable(one)),
        kinds: failurePoliciesOf(governors),
      });
    }
    this.#governed = changed;
    this.#version += 1;
    this.#snapshot = undefined;
    this.#listeners.notify(namespace);
  }
}

function both({ rules, unusable }: Governed): readonly Governor[] {
  return unusable.length === 0 ? rules : [...rules, ...unusable];
}

function otherThan(name: string): (governor: Governor) => boolean {
  return ({ policy }) => policy.name !== name;
}
