import { setImmediate } from 'node:timers/promises';

import { asObject } from '../../core/json.ts';
import { keyOf, partsOfKey } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { CompiledPolicy } from '../../core/policy/compile.ts';
import { identityOf, isSuspended, isUsable, unusablePolicyOf } from '../../core/policy/governing.ts';
import type { VaultInjectionPolicy } from '../../core/policy/policy.generated.ts';
import type { Governor, Rule } from '../../core/policy/rule.ts';
import type { CheckedPolicy } from '../../core/policy/schema.ts';
import type { ReasonCode } from '../../core/reasons.ts';
import { atMost } from '../../kube/clock.ts';
import type { Clock } from '../../kube/clock.ts';
import { describeError } from '../../kube/errors.ts';
import { shownText } from '../../core/shown.ts';
import type { Logger } from '../../kube/log.ts';
import { Slices } from '../../kube/slices.ts';
import type { Verdict } from './conditions.ts';
import type { RuleCache } from './rule-cache.ts';

export interface EnforcerOptions {
  /** The policies as they are now. */
  readonly policies: {
    get(key: string): KubernetesObject | undefined;
    list(): readonly KubernetesObject[];
  };
  readonly validate: (object: unknown) => CheckedPolicy;
  readonly compile: (policy: VaultInjectionPolicy) => CompiledPolicy;
  readonly rules: RuleCache;
  /** Where the last good rules are; left out if nowhere. */
  readonly history?: { lastGood(policy: Rule['policy']): Promise<Rule | undefined> };
  /** Takes what all policies name: see RuleCache.namespaces(). */
  readonly onNamespaces: (policies: ReturnType<RuleCache['namespaces']>) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

// For reading the last good rules at the start; what takes longer comes later, and is refused meanwhile.
const RECOVERY_MS = 5_000;
// at the same time
const RECOVERIES = 8;

/** What is known about the newest generation of a policy. */
interface Judged {
  readonly uid: string | undefined;
  readonly generation: number | undefined;
  /** How vault-env gets into pods, by its status. */
  readonly delivery: unknown;
  readonly verdict: Verdict;
  /** The history was asked for an earlier rule. */
  isRecovered: boolean;
}

/**
 * Puts policies in force, as soon as the API server sends them and without any I/O. A policy that is not suspended
 * always governs: by the rule of its newest generation, else by the last good one, else by what can be read of it.
 */
export class Enforcer {
  readonly #options: EnforcerOptions;
  readonly #judged = new Map<string, Judged>();
  #isLoaded = false;
  #isTelling = false;

  constructor(options: EnforcerOptions) {
    this.#options = options;
  }

  /** Puts all policies in force, in slices. Resolves when the rules say what they should; never rejects. */
  async load(): Promise<void> {
    const { policies, clock, logger } = this.#options;
    const slices = new Slices({ work: (key) => this.enforce(key), clock });
    for (const { metadata } of policies.list()) slices.add(keyOf(metadata));
    await slices.whenIdle();
    const faulty = [...this.#judged].flatMap(([key, { verdict }]) => (verdict.ok ? [] : [key]));
    const recovering = Promise.all(Array.from({ length: RECOVERIES }, () => this.#recoverAll(faulty))).catch(
      (error: unknown) =>
        logger.warn({ error: describeError(error) }, 'the last good rules cannot be read yet, will retry'),
    );
    if (faulty.length > 0) await atMost(clock, RECOVERY_MS, recovering);
    this.#isLoaded = true;
    this.#tell();
  }

  /** Judges all policies again, in slices: something else than a policy, that rules depend on, has changed. */
  async again(): Promise<void> {
    const work = (key: string): void => {
      this.#judged.delete(key);
      this.enforce(key);
    };
    const slices = new Slices({ work, clock: this.#options.clock });
    for (const key of this.#judged.keys()) slices.add(key);
    await slices.whenIdle();
  }

  /** Takes keys from the list until it is empty. */
  async #recoverAll(keys: string[]): Promise<void> {
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) await this.recover(key);
  }

  /** Puts the policy (`namespace/name`) in force as it is now, or takes it out of force. Returns true on a change. */
  enforce(key: string): boolean {
    const { policies, rules } = this.#options;
    const object = policies.get(key);
    const { namespace, name } = partsOfKey(key);
    if (object === undefined) {
      this.#judged.delete(key);
      return this.#changed(rules.delete(namespace, name));
    }
    const before = this.#judged.get(key);
    const { uid, generation } = object.metadata;
    const delivery = asObject(asObject(object.status)?.injector)?.delivery;
    const isSame = before?.uid === uid && before?.generation === generation && before?.delivery === delivery;
    if (before !== undefined && isSame) return false;
    const { verdict, rule } = this.#judge(object);
    this.#judged.set(key, { uid, generation, delivery, verdict, isRecovered: false });
    if (verdict.ok && verdict.suspended) return this.#changed(rules.delete(namespace, name));
    return this.#changed(rules.set(rule ?? this.#fallback(object, verdict)));
  }

  /** Returns what the newest generation of the policy is; undefined if it was not enforced yet. */
  verdictOf(key: string): Verdict | undefined {
    return this.#judged.get(key)?.verdict;
  }

  /**
   * Puts the last good rule of a policy in force that cannot be used, if a newer one is stored than this process knows.
   * Rejects with ApiError.
   */
  async recover(key: string): Promise<void> {
    const { policies, rules, history, logger } = this.#options;
    const judged = this.#judged.get(key);
    const object = policies.get(key);
    if (history === undefined || object === undefined || judged === undefined) return;
    if (judged.verdict.ok || judged.isRecovered) return;
    const policy = identityOf(object);
    const rule = await history.lastGood(policy);
    if (this.#judged.get(key) !== judged) return; // changed meanwhile, and will be asked for again
    judged.isRecovered = true;
    const inForce = rules.of(policy);
    if (rule === undefined || rule.policy.generation <= generationOf(inForce)) return;
    this.#changed(rules.set(rule));
    logger.info({ policy: key, generation: rule.policy.generation }, 'the last good generation is in force');
  }

  /** The rule in force stays, but not that of an earlier policy with the same name. */
  #fallback(object: KubernetesObject, verdict: Verdict): Governor {
    const inForce = this.#options.rules.of(identityOf(object));
    if (inForce !== undefined && isUsable(inForce)) return inForce;
    return unusablePolicyOf(object, verdict.ok ? '' : verdict.message);
  }

  #judge(object: KubernetesObject): { readonly verdict: Verdict; readonly rule?: Rule } {
    const { validate, compile } = this.#options;
    // whatever else is wrong with it
    if (isSuspended(object)) return { verdict: { ok: true, suspended: true } };
    const checked = validate(object);
    if (!checked.ok) return refused('SchemaInvalid', checked.problems.join('; '));
    const compiled = compile(checked.policy);
    if (!compiled.ok) return refused(compiled.reason, compiled.message);
    if (compiled.suspended) return { verdict: { ok: true, suspended: true } };
    return { verdict: { ok: true, suspended: false }, rule: compiled.rule };
  }

  #changed(isChanged: boolean): boolean {
    if (isChanged) void this.#tellSoon();
    return isChanged;
  }

  /** Once for all changes of one turn: a list may bring thousands. */
  async #tellSoon(): Promise<void> {
    // until all policies are known, no namespace may be taken for one without policies
    if (!this.#isLoaded || this.#isTelling) return;
    this.#isTelling = true;
    await setImmediate();
    this.#isTelling = false;
    this.#tell();
  }

  #tell(): void {
    const { rules, onNamespaces } = this.#options;
    onNamespaces(rules.namespaces());
  }
}

function generationOf(governor: Governor | undefined): number {
  return governor !== undefined && isUsable(governor) ? governor.policy.generation : -1;
}

// metav1.Condition allows 32,768 characters; a policy with a thousand faults is fixed from the top.
const LONGEST_MESSAGE = 2_000;

function refused(reason: ReasonCode, message: string): { readonly verdict: Verdict } {
  return { verdict: { ok: false, reason, message: shownText(message, LONGEST_MESSAGE) } };
}
