import type { Clock } from '../../kube/clock.ts';
import { partsOfKey } from '../../core/object.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { Logger } from '../../kube/log.ts';
import type { ReasonCode } from '../../core/reasons.ts';
import type { VaultHealth } from '../vault/vault-port.ts';
import type { WorkloadSummary } from '../../core/workload/summary.ts';
import type { CompiledPolicy } from '../../core/policy/compile.ts';
import type { PolicyStatus, Statement, Verdict } from './conditions.ts';
import { conditionsOf, isSameStatus, isUrgent, nextStatus } from './conditions.ts';
import type { VaultInjectionPolicy } from '../../core/policy/policy.generated.ts';
import type { RuleCache } from './rule-cache.ts';
import type { Rule, RuleVault } from '../../core/policy/rule.ts';
import type { CheckedPolicy } from '../../core/policy/schema.ts';
import type { PolicyEvents } from './policy-events.ts';
import { keptStall, keptWorkloadStatus, workloadStatusOf } from './workload-status.ts';

export const POLICIES: Resource = {
  group: 'vaultinjection.dev',
  version: 'v1alpha1',
  plural: 'vaultinjectionpolicies',
};

/** Owner of the status in managedFields. */
export const STATUS_FIELD_MANAGER = 'vault-injection-operator-status';

/** What the reconciler needs from the webhook's configuration. */
export interface WebhookProgramming {
  /**
   * Sets all namespaces that have rules, and their failure policy while the webhook is unavailable: any Fail makes it
   * Fail.
   */
  setPolicies(policies: ReadonlyMap<string, Rule['failurePolicy']>): void;
  /** Whether API servers now send the workloads of this namespace to the webhook. */
  programmed(namespace: string): boolean;
  /** Whether they never will. */
  excludes(namespace: string): boolean;
}

/** What the reconciler needs from the checks of Vault. */
export interface VaultWatch {
  watch(policy: string, vault: RuleVault | undefined): void;
  unwatch(policy: string): void;
  health(policy: string): VaultHealth;
}

export interface ReconcilerOptions {
  /** The policies as they are now. */
  readonly policies: {
    get(key: string): KubernetesObject | undefined;
    list(): readonly KubernetesObject[];
  };
  readonly validate: (object: unknown) => CheckedPolicy;
  readonly compile: (policy: VaultInjectionPolicy) => CompiledPolicy;
  readonly rules: RuleCache;
  readonly webhook: WebhookProgramming;
  readonly certificateReady: () => boolean;
  readonly vault: VaultWatch;
  /** Returns the summary of a policy's workloads; undefined if not known yet. */
  readonly summaryOf?: (key: string) => WorkloadSummary | undefined;
  /** Returns the condition Rotating of a policy that asks for rotation. */
  readonly rotationOf?: (key: string) => Statement | undefined;
  /** Told of each status that was written, and of policies that are gone. */
  readonly policyEvents?: Pick<PolicyEvents, 'written' | 'forget'>;
  /** Only one replica writes statuses; all of them keep rules. */
  readonly isLeader: () => boolean;
  /** Reconciles the policy again in so many milliseconds. */
  readonly again: (key: string, ms: number) => void;
  readonly client: Pick<ObjectClient, 'apply'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

// While a thousand workloads are rolled, their counts change all the time; nobody reads them faster than this.
const CALM_MS = 10_000;

const ROTATION_PENDING: Statement = {
  status: 'Unknown',
  reason: 'RotationPending',
  message: 'the secrets that the workloads read are not known yet',
};

interface Judged {
  readonly verdict: Verdict;
  readonly rule?: Rule;
}

/** Turns policies into rules, and reports the result in their status. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** Statuses that were written, until the informer shows an object newer than the one they were written for. */
  readonly #written = new Map<
    string,
    { readonly resourceVersion: string | undefined; readonly status: PolicyStatus }
  >();
  /** When each status was last written. */
  readonly #writtenAt = new Map<string, number>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Puts the rules of all policies in force at once, without I/O: admission need not wait for any status. */
  load(): void {
    const { policies, rules } = this.#options;
    const judged = policies.list().map((object) => judge(object, this.#options));
    rules.replaceAll(judged.flatMap(({ rule }) => (rule === undefined ? [] : [rule])));
    this.#program();
  }

  /** Reconciles one policy (`namespace/name`). Rejects with ApiError. */
  async reconcile(key: string): Promise<void> {
    const object = this.#options.policies.get(key);
    if (object === undefined) {
      this.#forget(key);
      return;
    }
    const judged = judge(object, this.#options);
    if (this.#enforce(object, judged)) this.#program();
    const inForce = this.#ruleInForce(object);
    this.#options.vault.watch(key, inForce?.vault);
    if (this.#options.isLeader()) await this.#report(key, object, judged.verdict, inForce);
  }

  #forget(key: string): void {
    const { rules, vault, logger } = this.#options;
    const { namespace, name } = partsOfKey(key);
    vault.unwatch(key);
    this.#written.delete(key);
    this.#writtenAt.delete(key);
    this.#options.policyEvents?.forget(key);
    if (!rules.delete(namespace, name)) return;
    logger.info({ policy: key }, 'the policy was deleted, its rule is no longer in force');
    this.#program();
  }

  /**
   * Keeps the last good rule in force if the newest generation has none, unless it is suspended. Returns true on a
   * change.
   */
  #enforce(object: KubernetesObject, { verdict, rule }: Judged): boolean {
    const { rules } = this.#options;
    const { namespace = '', name } = object.metadata;
    if (rule !== undefined) return rules.set(rule);
    if (!verdict.ok && this.#ruleInForce(object) !== undefined) return false;
    return rules.delete(namespace, name);
  }

  /** Returns the rule of this policy, not one of an earlier policy with the same name. */
  #ruleInForce({ metadata }: KubernetesObject): Rule | undefined {
    const rules = this.#options.rules.snapshot().rulesFor(metadata.namespace ?? '');
    return rules.find(({ policy }) => policy.name === metadata.name && policy.uid === metadata.uid);
  }

  #program(): void {
    const { rules, webhook } = this.#options;
    const namespaces = rules
      .namespaces()
      .map(({ name, failurePolicies: [first = 'Ignore'] }) => [name, first] as const);
    webhook.setPolicies(new Map(namespaces));
  }

  async #report(key: string, object: KubernetesObject, verdict: Verdict, inForce: Rule | undefined): Promise<void> {
    const { webhook, certificateReady, vault, clock, again } = this.#options;
    const { namespace = '', generation = 0 } = object.metadata;
    const summary = inForce && this.#options.summaryOf?.(key);
    const known = this.#knownStatus(key, object);
    const conditions = conditionsOf({
      verdict,
      inForce: inForce?.policy.generation,
      programmed: webhook.programmed(namespace),
      excluded: webhook.excludes(namespace),
      certificateReady: certificateReady(),
      vault: vault.health(key),
      rotating: inForce && this.#rotating(key, inForce),
      stalled: summary === undefined ? inForce && keptStall(known) : summary.stalled,
    });
    const now = clock.now();
    // a policy without a rule has no workloads
    const before = inForce === undefined ? {} : keptWorkloadStatus(known);
    const workloads = summary === undefined ? before : workloadStatusOf(known, summary, now);
    const status = nextStatus(known, conditions, generation, now, workloads);
    if (isSameStatus(known, status)) return;
    const calmMs = (this.#writtenAt.get(key) ?? -Infinity) + CALM_MS - now;
    if (calmMs > 0 && !isUrgent(known, status)) again(key, calmMs);
    else await this.#write(key, object, known, status);
  }

  /** After a start it takes a moment until workloads are known; the condition does not flap meanwhile. */
  #rotating(key: string, { rotation }: Rule): Statement | undefined {
    if (rotation.strategy !== 'Restart') return undefined;
    return this.#options.rotationOf?.(key) ?? ROTATION_PENDING;
  }

  // Between a write and the event that shows it, the object still has its old status.
  #knownStatus(key: string, object: KubernetesObject): PolicyStatus | undefined {
    const written = this.#written.get(key);
    if (written !== undefined && written.resourceVersion === object.metadata.resourceVersion) return written.status;
    this.#written.delete(key);
    return object.status as PolicyStatus | undefined;
  }

  async #write(
    key: string,
    object: KubernetesObject,
    known: PolicyStatus | undefined,
    status: PolicyStatus,
  ): Promise<void> {
    const { apiVersion, kind, metadata } = object;
    const { name, namespace = '', resourceVersion } = metadata;
    const options = { fieldManager: STATUS_FIELD_MANAGER, subresource: 'status' };
    try {
      await this.#options.client.apply(
        { ...POLICIES, namespace },
        { apiVersion, kind, metadata: { name, namespace }, status },
        options,
      );
      this.#written.set(key, { resourceVersion, status });
      this.#writtenAt.set(key, this.#options.clock.now());
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      const line = { policy: key, generation: status.observedGeneration, ready: ready?.status, reason: ready?.reason };
      this.#options.logger.info(line, 'the status of the policy changed');
      this.#options.policyEvents?.written(object, known, status);
    } catch (error) {
      // Deleted in the meantime: the informer will report it.
      if (!isNotFound(error)) throw error;
    }
  }
}

function judge(object: KubernetesObject, { validate, compile }: ReconcilerOptions): Judged {
  const checked = validate(object);
  if (!checked.ok) return refused('SchemaInvalid', checked.problems.join('; '));
  const compiled = compile(checked.policy);
  if (!compiled.ok) return refused(compiled.reason, compiled.message);
  if (compiled.suspended) return { verdict: { ok: true, suspended: true } };
  return { verdict: { ok: true, suspended: false }, rule: compiled.rule };
}

// metav1.Condition allows 32,768 characters; a policy with a thousand faults is fixed from the top.
const LONGEST_MESSAGE = 2_000;

function refused(reason: ReasonCode, message: string): Judged {
  return { verdict: { ok: false, reason, message: message.slice(0, LONGEST_MESSAGE) } };
}
