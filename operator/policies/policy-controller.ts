import type { Informer } from '../../kube/informer.ts';
import { ownTurn, Slices } from '../../kube/slices.ts';
import { OperatorAdapter } from '../../kube/operator-adapter.ts';
import type { OperatorAdapterOptions } from '../../kube/operator-adapter.ts';
import { keyOf } from '../../core/object.ts';
import type { AuthorityOf } from '../vault/authorities.ts';
import { HealthMonitor } from '../vault/health-monitor.ts';
import type { VaultPort } from '../vault/vault-port.ts';
import type { ConditionCounts } from './condition-counts.ts';
import { countConditions } from './condition-counts.ts';
import { Enforcer } from './enforcer.ts';
import type { EnforcerOptions } from './enforcer.ts';
import type { RuleHistory } from './rule-history.ts';
import { POLICIES, Reconciler, STATUS_FIELD_MANAGER } from './reconciler.ts';
import type { ReconcilerOptions } from './reconciler.ts';

export interface PolicyControllerOptions
  extends
    Omit<OperatorAdapterOptions, 'fieldManager'>,
    Pick<
      ReconcilerOptions,
      | 'webhook'
      | 'certificateReady'
      | 'webhookReachable'
      | 'summaryOf'
      | 'rotationOf'
      | 'isLeader'
      | 'inForceEverywhere'
      | 'policyEvents'
      | 'delivery'
      | 'crdLack'
      | 'targetLackOf'
      | 'tracer'
    >,
    Pick<EnforcerOptions, 'validate' | 'compile' | 'rules' | 'onNamespaces'> {
  /** Where the last good rules are kept; left out if nowhere. */
  readonly history?: RuleHistory;
  /** Called once, when the rules of all policies are in force. */
  readonly onLoaded?: () => void;
  readonly vault: VaultPort;
  readonly authorityOf: AuthorityOf;
  /** Approximate milliseconds between two checks of one Vault. */
  readonly vaultCheckMs?: number;
}

// A watch lasts four to eight seconds, and its end confirms that nothing was missed: so a connection that is silently
// dead is noticed within 13 s (kube/api-client.ts gives up 5 s after the end is due), before the copy counts as stale
// (freshness.ts).
const WATCH_SECONDS = 4;

/** Watches VaultInjectionPolicies and reconciles each one whenever something about it changes. */
export class PolicyController extends OperatorAdapter {
  readonly #enforcer: Enforcer;
  readonly #reconciler: Reconciler;
  readonly #monitor: HealthMonitor;
  readonly #onLoaded: (() => void) | undefined;
  /** Thousands at a time must not be queued in one piece. */
  readonly #again: Slices;
  #loaded = false;
  #watched: Informer | undefined;

  constructor(options: PolicyControllerOptions) {
    super({ ...options, fieldManager: STATUS_FIELD_MANAGER, watchSeconds: WATCH_SECONDS });
    const { authorityOf, clock, random, logger, vaultCheckMs, onLoaded } = options;
    this.#onLoaded = onLoaded;
    this.#again = new Slices({ work: (key) => this.factsChanged(key), clock });
    this.#monitor = new HealthMonitor({
      vault: options.vault,
      authorityOf,
      clock,
      random,
      logger,
      ...(vaultCheckMs === undefined ? {} : { intervalMs: vaultCheckMs }),
      onChange: (policies) => policies.forEach((key) => this.factsChanged(key)),
    });
    const policies = { get: (key: string) => this.#policies().get(key), list: () => this.#policies().list() };
    const again = (key: string, ms: number): void => this.enqueue(POLICIES, key, ms);
    this.#enforcer = new Enforcer({ ...options, policies });
    this.#reconciler = new Reconciler({ ...options, policies, enforcer: this.#enforcer, vault: this.#monitor, again });
  }

  /** Whether the rules of all policies are in force, even if not all statuses say so yet. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** The resourceVersion of the policies up to which the rules are in force; undefined before they are loaded. */
  get inForce(): string | undefined {
    return this.#loaded ? this.#policies().version : undefined;
  }

  /** The resourceVersion of the newest change of a policy that is in force; undefined if none is known. */
  get newest(): string | undefined {
    return this.#loaded ? this.#policies().newest : undefined;
  }

  /** How many policies have each status of each condition, by what the API server has. */
  get conditionCounts(): ConditionCounts {
    return countConditions(this.#loaded ? this.#policies().list() : []);
  }

  /** Something else shows that the API server answers: a pause after an error ends. */
  hasten(): void {
    if (this.#loaded) this.#policies().hasten();
  }

  /**
   * Call it when something in the statuses of these namespaces has changed, or in all of them: the webhook's
   * configuration or certificate, or the leader.
   */
  reconcileAll(namespaces?: ReadonlySet<string>): void {
    if (!this.#loaded) return;
    for (const { metadata } of this.#policies().list()) {
      if (namespaces?.has(metadata.namespace ?? '') ?? true) this.#again.add(keyOf(metadata));
    }
  }

  /** Call it when `compile` returns something else for the same policies. */
  async compileAgain(): Promise<void> {
    await this.#enforcer.again();
    this.reconcileAll();
  }

  /** Call it when inForceEverywhere may return something else. */
  replicasChanged(): void {
    for (const key of this.#reconciler.waitingForReplicas) this.enqueue(POLICIES, key);
  }

  /** Call it when summaryOf, rotationOf or authorityOf return something else for the policy (`namespace/name`). */
  factsChanged(key: string): void {
    this.enqueue(POLICIES, key);
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.#monitor.stop();
  }

  protected override async init(): Promise<void> {
    const { group, version, plural } = POLICIES;
    await this.watchResource(group, version, plural, ({ meta }) => this.#reconciler.reconcile(keyOf(meta)));
  }

  protected override async onSynced(plural: string): Promise<void> {
    await super.onSynced(plural);
    await this.#enforcer.load();
    await ownTurn();
    this.#loaded = true;
    this.#onLoaded?.();
  }

  // Admission needs the rule at once; the status may wait for its turn.
  protected override onChanged(_plural: string, key: string): void {
    this.#enforcer.enforce(key);
  }

  /** Throws before they are watched. */
  #policies(): Informer {
    const { group, version, plural } = POLICIES;
    return (this.#watched ??= this.informer(group, version, plural));
  }
}
