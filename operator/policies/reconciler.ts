import type { Clock } from '../../kube/clock.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import { partsOfKey } from '../../core/object.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { failureOf, isNotFound } from '../../kube/errors.ts';
import type { Logger } from '../../kube/log.ts';
import { NO_TRACER } from '../../kube/tracer.ts';
import type { Span, Tracer } from '../../kube/tracer.ts';
import { Turns } from '../../kube/turns.ts';
import type { TurnsOptions } from '../../kube/turns.ts';
import type { VaultHealth } from '../vault/vault-port.ts';
import type { WorkloadSummary } from '../../core/workload/summary.ts';
import { consentsOf } from '../../core/policy/consents.ts';
import { withoutLacking } from '../../core/policy/crd-lack.ts';
import type { Lack } from '../../core/policy/crd-lack.ts';
import { identityOf, isUsable } from '../../core/policy/governing.ts';
import { crdOutdated } from './crd-watch.ts';
import type { PolicyStatus, Statement, Verdict } from './conditions.ts';
import { conditionsOf, isSameStatus, isUrgent, knownReachability, nextStatus } from './conditions.ts';
import type { Enforcer } from './enforcer.ts';
import type { RuleCache } from './rule-cache.ts';
import type { RuleHistory } from './rule-history.ts';
import type { DeliveryChoice } from '../../core/policy/delivery-choice.ts';
import type { Governor, Rule, RuleVault } from '../../core/policy/rule.ts';
import type { PolicyEvents } from './policy-events.ts';
import { StatusLog } from './status-log.ts';
import type { TargetLack } from './target-lack.ts';
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
  /** Whether API servers now send the workloads of this namespace to the webhook. */
  programmed(namespace: string): boolean;
  /** Whether they never will. */
  excludes(namespace: string): boolean;
  /** Returns what somebody has added to the configuration that keeps this namespace out. */
  excludedByPlatform(namespace: string): string | undefined;
  /** Returns what it lacks for this namespace, if the installer keeps it. */
  lackingFor(namespace: string): string | undefined;
  /** Returns what somebody has added to it that may keep single workloads out, in words. */
  narrowedByPlatform(): string | undefined;
  /** Returns that the operator is being removed, in words. */
  leaving?(): string | undefined;
}

/** What the reconciler needs from the checks of Vault. */
export interface VaultWatch {
  watch(policy: string, vault: RuleVault | undefined): void;
  unwatch(policy: string): void;
  health(policy: string): VaultHealth;
}

export interface ReconcilerOptions {
  /** The policies as they are now. */
  readonly policies: { get(key: string): KubernetesObject | undefined };
  /** What puts them in force; see Enforcer. */
  readonly enforcer: Pick<Enforcer, 'enforce' | 'recover' | 'verdictOf'>;
  readonly rules: Pick<RuleCache, 'of'>;
  /** Keeps the rules in force for the time when their policies cannot be used; left out if nobody does. */
  readonly history?: Pick<RuleHistory, 'isKept' | 'keep'>;
  /**
   * Whether every replica that answers reviews has in force what was so here at this resourceVersion of the policies
   * (default: there is no other).
   */
  readonly inForceEverywhere?: (resourceVersion: string) => boolean;
  readonly webhook: WebhookProgramming;
  readonly certificateReady: () => boolean;
  /** Returns the condition WebhookReachable; undefined while this replica has not found out. */
  readonly webhookReachable: () => Statement | undefined;
  readonly vault: VaultWatch;
  /** Returns the summary of a policy's workloads; undefined if not known yet. */
  readonly summaryOf?: (key: string) => WorkloadSummary | undefined;
  /** Returns the condition Rotating of a policy that asks for rotation. */
  readonly rotationOf?: (key: string) => Statement | undefined;
  /** Returns what keeps the operator from injecting some of these kinds (default: nothing). */
  readonly targetLackOf?: (targets: readonly WorkloadKind[]) => TargetLack | undefined;
  /** Returns what the CRD in the cluster lacks of the operator's (default: nothing). */
  readonly crdLack?: () => Lack;
  /** Returns how vault-env gets into pods where the policy leaves that to the operator; undefined if not known yet. */
  readonly delivery?: () => DeliveryChoice | undefined;
  /** Told of each status that was written, and of policies that are gone. */
  readonly policyEvents?: Pick<PolicyEvents, 'written' | 'forget'>;
  /** Only one replica writes statuses; all of them keep rules. */
  readonly isLeader: () => boolean;
  /** Reconciles the policy again in so many milliseconds. */
  readonly again: (key: string, ms: number) => void;
  readonly client: Pick<ObjectClient, 'apply'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: none. */
  readonly tracer?: Tracer;
}

// While a thousand workloads are rolled, their counts change all the time; nobody reads them faster than this.
const CALM_MS = 10_000;

// Statuses of the whole cluster: thousands of policies change theirs together when a leader begins, or the webhook is
// reached. What users wait for does not wait behind counts.
const URGENT = { burst: 40, everyMs: 50 };
const CALM = { burst: 20, everyMs: 100 };
const HISTORY = { burst: 20, everyMs: 100 };

const ROTATION_PENDING: Statement = {
  status: 'Unknown',
  reason: 'RotationPending',
  message: 'the secrets that the workloads read are not known yet',
};

/** Reports in the status of each policy what has become of it. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** Statuses that were written, until the informer shows an object newer than the one they were written for. */
  readonly #written = new Map<
    string,
    { readonly resourceVersion: string | undefined; readonly status: PolicyStatus }
  >();
  /** What governs for each policy, and the resourceVersion at which that was first so. */
  readonly #enforced = new Map<string, { readonly governor: Governor | undefined; readonly version: string }>();
  readonly #waiting = new Set<string>();
  /** When each status was last written, by Clock.elapsed(). */
  readonly #writtenAt = new Map<string, number>();

  readonly #turns: Readonly<Record<'urgent' | 'calm' | 'history', Turns>>;
  readonly #statusLog: StatusLog;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#statusLog = new StatusLog(options);
    const { clock } = options;
    const turns = (pace: Omit<TurnsOptions, 'clock'>): Turns => new Turns({ clock, ...pace });
    this.#turns = { urgent: turns(URGENT), calm: turns(CALM), history: turns(HISTORY) };
  }

  /** Keys of the policies whose newest rule some replica did not have in force when they were reconciled. */
  get waitingForReplicas(): ReadonlySet<string> {
    return this.#waiting;
  }

  /** Reconciles one policy (`namespace/name`). Rejects with ApiError. */
  async reconcile(key: string): Promise<void> {
    const { tracer = NO_TRACER } = this.#options;
    const { namespace, name } = partsOfKey(key);
    await traced(tracer.start('reconcile policy'), async (span) => {
      span.set({ 'k8s.namespace.name': namespace, 'vaultinjection.policy.name': name });
      await this.#reconcile(key, span);
    });
  }

  async #reconcile(key: string, span: Span): Promise<void> {
    const { policies, enforcer, isLeader, vault, rules } = this.#options;
    enforcer.enforce(key);
    const object = policies.get(key);
    const verdict = enforcer.verdictOf(key);
    if (object === undefined || verdict === undefined) {
      this.#forget(key);
      return;
    }
    // what is wrong with the policy is told even while its last good rule cannot be read
    const unread = verdict.ok ? undefined : await enforcer.recover(key).catch((error: unknown) => ({ error }));
    const governor = rules.of(identityOf(object));
    this.#noteVersion(key, object, governor);
    const inForce = governor !== undefined && isUsable(governor) ? governor : undefined;
    vault.watch(key, inForce?.vault);
    if (isLeader()) {
      await this.#report(key, object, verdict, governor, span);
      if (inForce !== undefined) await this.#keep(key, inForce);
    }
    if (unread) throw unread.error;
  }

  #forget(key: string): void {
    this.#options.vault.unwatch(key);
    this.#written.delete(key);
    this.#writtenAt.delete(key);
    this.#options.policyEvents?.forget(key);
    this.#waiting.delete(key);
    for (const turns of Object.values(this.#turns)) turns.forget(key);
    if (this.#enforced.delete(key)) this.#options.logger.info({ policy: key }, 'the policy was deleted');
  }

  /** Its status changes the version of a policy too, and that changes nothing for the replicas. */
  #noteVersion(key: string, { metadata }: KubernetesObject, governor: Governor | undefined): void {
    if (this.#enforced.get(key)?.governor === governor && this.#enforced.has(key)) return;
    this.#enforced.set(key, { governor, version: metadata.resourceVersion ?? '' });
  }

  async #report(
    key: string,
    object: KubernetesObject,
    verdict: Verdict,
    governor: Governor | undefined,
    span: Span,
  ): Promise<void> {
    const { webhook, certificateReady, vault, clock, again, inForceEverywhere = () => true } = this.#options;
    const { namespace = '', generation = 0 } = object.metadata;
    const summary = governor && this.#options.summaryOf?.(key);
    const inForce = governor !== undefined && isUsable(governor) ? governor : undefined;
    const everywhere = inForceEverywhere(this.#enforced.get(key)?.version ?? '');
    if (everywhere) this.#waiting.delete(key);
    else this.#waiting.add(key);
    const known = this.#knownStatus(key, object);
    const lack = this.#options.crdLack?.() ?? [];
    const conditions = conditionsOf({
      verdict,
      inForce: inForce?.policy.generation,
      consents: inForce === undefined ? [] : consentsOf(inForce),
      refuses: governor?.failurePolicy === 'Fail',
      everywhere,
      programmed: webhook.programmed(namespace),
      excluded: webhook.excludes(namespace),
      excludedBy: webhook.excludedByPlatform(namespace),
      lacking: webhook.lackingFor(namespace),
      narrowedBy: webhook.narrowedByPlatform(),
      leaving: webhook.leaving?.(),
      webhook: this.#options.webhookReachable() ?? knownReachability(known),
      certificateReady: certificateReady(),
      vault: vault.health(key),
      targetLack: governor && this.#options.targetLackOf?.(governor.targets),
      crdOutdated: lack.length === 0 ? undefined : crdOutdated(lack),
      rotating: inForce && this.#rotating(key, inForce),
      stalled: summary === undefined ? inForce && keptStall(known) : summary.stalled,
    });
    const now = clock.now();
    // a policy that governs nothing has no workloads
    const before = governor === undefined ? {} : keptWorkloadStatus(known);
    const workloads = summary === undefined ? before : workloadStatusOf(known, summary, now);
    const injector = this.#injectorStatus(inForce, known);
    const status = withoutLacking(nextStatus(known, conditions, generation, now, { ...injector, ...workloads }), lack);
    if (isSameStatus(known, status)) return;
    const waitMs = this.#waitMs(key, isUrgent(known, status));
    if (waitMs > 0) again(key, waitMs);
    else await traced(span.child('write status'), () => this.#write(key, object, known, status));
  }

  /** Says nothing of a policy that injects nothing; what cannot be determined again stays. */
  #injectorStatus(rule: Rule | undefined, known: PolicyStatus | undefined): Pick<PolicyStatus, 'injector'> {
    if (rule === undefined) return {};
    const { isAuto, delivery, insteadBecause } = rule.injector;
    const message =
      insteadBecause === undefined
        ? `spec.injector.delivery is ${delivery}`
        : `spec.injector.delivery is ImageVolume, but ${insteadBecause}`;
    const asWritten = { delivery, message };
    const injector = isAuto ? (this.#options.delivery?.() ?? known?.injector) : asWritten;
    return injector === undefined ? {} : { injector: { delivery: injector.delivery, message: injector.message } };
  }

  /** Returns the milliseconds until a status of this policy may be written; 0: now. */
  #waitMs(key: string, isUrgentNow: boolean): number {
    const { urgent, calm } = this.#turns;
    if (isUrgentNow) return urgent.waitFor(key);
    const calmMs = (this.#writtenAt.get(key) ?? -Infinity) + CALM_MS - this.#options.clock.elapsed();
    return calmMs > 0 ? calmMs : calm.waitFor(key);
  }

  async #keep(key: string, rule: Rule): Promise<void> {
    const { history, again } = this.#options;
    if (history === undefined || (await history.isKept(rule))) return;
    const waitMs = this.#turns.history.waitFor(key);
    if (waitMs > 0) again(key, waitMs);
    else await history.keep(rule);
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
      this.#writtenAt.set(key, this.#options.clock.elapsed());
      this.#statusLog.written(key, namespace, known, status);
      this.#options.policyEvents?.written(object, known, status);
    } catch (error) {
      // Deleted in the meantime: the informer will report it.
      if (!isNotFound(error)) throw error;
    }
  }
}

/** Does something as a span, which fails as it does. */
async function traced(span: Span, work: (span: Span) => Promise<void>): Promise<void> {
  try {
    await work(span);
  } catch (error) {
    span.fail(failureOf(error));
    throw error;
  } finally {
    span.end();
  }
}
