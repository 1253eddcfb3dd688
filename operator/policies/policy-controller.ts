import type { Informer } from '../../kube/informer.ts';
import { OperatorAdapter } from '../../kube/operator-adapter.ts';
import type { OperatorAdapterOptions } from '../../kube/operator-adapter.ts';
import { keyOf } from '../../core/object.ts';
import type { AuthorityOf } from '../vault/authorities.ts';
import { HealthMonitor } from '../vault/health-monitor.ts';
import type { VaultPort } from '../vault/vault-port.ts';
import { POLICIES, Reconciler, STATUS_FIELD_MANAGER } from './reconciler.ts';
import type { ReconcilerOptions } from './reconciler.ts';

export interface PolicyControllerOptions
  extends
    Omit<OperatorAdapterOptions, 'fieldManager'>,
    Pick<
      ReconcilerOptions,
      | 'validate'
      | 'compile'
      | 'rules'
      | 'webhook'
      | 'certificateReady'
      | 'summaryOf'
      | 'rotationOf'
      | 'isLeader'
      | 'policyEvents'
    > {
  readonly vault: VaultPort;
  readonly authorityOf: AuthorityOf;
  /** Approximate milliseconds between two checks of one Vault. */
  readonly vaultCheckMs?: number;
}

/** Watches VaultInjectionPolicies and reconciles each one whenever something about it changes. */
export class PolicyController extends OperatorAdapter {
  readonly #reconciler: Reconciler;
  readonly #monitor: HealthMonitor;
  #loaded = false;

  constructor(options: PolicyControllerOptions) {
    super({ ...options, fieldManager: STATUS_FIELD_MANAGER });
    const { authorityOf, clock, random, logger, vaultCheckMs } = options;
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
    this.#reconciler = new Reconciler({ ...options, policies, vault: this.#monitor, again });
  }

  /** Whether the rules of all policies are in force, even if not all statuses say so yet. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Call it when something in all statuses has changed: the webhook's configuration or certificate, or the leader. */
  reconcileAll(): void {
    if (!this.#loaded) return;
    for (const policy of this.#policies().list()) this.enqueue(POLICIES, keyOf(policy.metadata));
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

  // Until all policies are known, no namespace may be taken for one without policies: no policy is reconciled before.
  protected override onSynced(plural: string): void {
    super.onSynced(plural);
    this.#reconciler.load();
    this.#loaded = true;
  }

  #policies(): Informer {
    const { group, version, plural } = POLICIES;
    return this.informer(group, version, plural);
  }
}
