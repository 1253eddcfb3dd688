import type { Clock } from '../../kube/clock.ts';
import { jittered } from '../../kube/jitter.ts';
import { slots } from '../../kube/slots.ts';
import type { Run } from '../../kube/slots.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { Logger } from '../../kube/log.ts';
import { partsOfKey } from '../../core/object.ts';
import type { RuleVault } from '../../core/policy/rule.ts';
import type { Authority, AuthorityOf } from './authorities.ts';
import type { VaultHealth, VaultPort, VaultTarget } from './vault-port.ts';

export interface HealthMonitorOptions {
  readonly vault: VaultPort;
  /** Returns the authorities in the objects that policies refer to. */
  readonly authorityOf: AuthorityOf;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Approximate milliseconds between two checks of one Vault. */
  readonly intervalMs?: number;
  /** Called with the policies whose Vault has changed its health. */
  readonly onChange: (policies: readonly string[]) => void;
}

interface Watched {
  readonly target: VaultTarget;
  readonly policies: Set<string>;
  health: VaultHealth;
}

const INTERVAL_MS = 60_000;
// Enough for a hundred Vaults a minute even if all time out, without a flood when the operator starts.
const CONCURRENCY = 8;
// Of them for the Vaults that one namespace alone names: a thousand that say nothing delay no check of another namespace.
const CONCURRENCY_OF_NAMESPACE = 2;

const NOT_YET: VaultHealth = {
  status: 'Unknown',
  reason: 'VaultNotChecked',
  message: 'Vault has not been checked yet',
};

const NO_RULE: VaultHealth = {
  status: 'Unknown',
  reason: 'VaultNotChecked',
  message: 'the policy is not in force, so its Vault is not checked',
};

/** Asks each distinct Vault once per interval, however many policies name it. */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #queue: WorkQueue;
  readonly #inTurn: Run;
  readonly #watched = new Map<string, Watched>();
  readonly #idOf = new Map<string, string>();
  readonly #uncheckable = new Map<string, VaultHealth>();

  constructor(options: HealthMonitorOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    const process = (id: string): Promise<void> => this.#check(id);
    this.#queue = new WorkQueue({ process, clock, random, logger, what: 'checking a Vault', concurrency: Infinity });
    this.#inTurn = slots(
      { active: CONCURRENCY, activeOfGroup: CONCURRENCY_OF_NAMESPACE, waiting: Infinity },
      () => new Error('unreachable: all may wait'),
    );
  }

  /**
   * Sets the Vault that `policy` (`namespace/name`) uses; undefined: none. Checks at once if no other policy uses it.
   */
  watch(policy: string, vault: RuleVault | undefined): void {
    const wanted = vault === undefined ? NO_RULE : this.#targetOf(policy, vault);
    const id = 'address' in wanted ? JSON.stringify(wanted) : undefined;
    if (this.#idOf.get(policy) !== id) this.unwatch(policy);
    if (!('address' in wanted)) this.#uncheckable.set(policy, wanted);
    else if (id !== undefined) this.#join(policy, id, wanted);
  }

  /** Forgets `policy`. */
  unwatch(policy: string): void {
    this.#uncheckable.delete(policy);
    const id = this.#idOf.get(policy);
    this.#idOf.delete(policy);
    const watched = id === undefined ? undefined : this.#watched.get(id);
    if (id === undefined || watched === undefined) return;
    watched.policies.delete(policy);
    if (watched.policies.size > 0) return;
    this.#watched.delete(id);
    this.#queue.forget(id);
  }

  /** Returns the last known health of the Vault that `policy` uses. */
  health(policy: string): VaultHealth {
    const id = this.#idOf.get(policy);
    return this.#watched.get(id ?? '')?.health ?? this.#uncheckable.get(policy) ?? NOT_YET;
  }

  /** Starts no more checks. */
  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #join(policy: string, id: string, target: VaultTarget): void {
    const watched = this.#watched.get(id) ?? { target, policies: new Set<string>(), health: NOT_YET };
    watched.policies.add(policy);
    this.#idOf.set(policy, id);
    if (this.#watched.has(id)) return;
    this.#watched.set(id, watched);
    this.#queue.add(id);
  }

  async #check(id: string): Promise<void> {
    const { vault, random, intervalMs = INTERVAL_MS, onChange, logger } = this.#options;
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    const isWanted = (): boolean => this.#watched.get(id) === watched;
    const health = await this.#inTurn(groupOf(watched.policies), async () =>
      isWanted() ? vault.health(watched.target) : watched.health,
    );
    if (!isWanted()) return;
    this.#queue.addAfter(id, jittered(intervalMs, random));
    const before = watched.health;
    watched.health = health;
    if (before.reason === health.reason && before.message === health.message) return;
    const { status, reason, message } = health;
    const line = { address: watched.target.address, policies: watched.policies.size, status, reason, message };
    if (status === 'False') logger.warn(line, 'the health of a Vault changed');
    else logger.info(line, 'the health of a Vault changed');
    onChange([...watched.policies]);
  }

  /** Returns the server to ask, or why it is not asked. */
  #targetOf(policy: string, { address, tls }: RuleVault): VaultTarget | VaultHealth {
    const { caBundle, caRef, serverName } = tls;
    if (caRef === undefined) return { address, caBundle, serverName };
    const { namespace } = partsOfKey(policy);
    const authority = this.#options.authorityOf(namespace, caRef);
    if (authority === undefined) return NOT_YET;
    if ('caBundle' in authority) return { address, caBundle: authority.caBundle, serverName };
    return healthWithout(authority);
  }
}

/** Returns what is said of a Vault that cannot be asked for want of its authority. */
export function healthWithout(authority: Exclude<Authority, { readonly caBundle: string }>): VaultHealth {
  return 'unusable' in authority
    ? { status: 'False', reason: 'VaultCAUnusable', message: authority.unusable }
    : { status: 'Unknown', reason: 'VaultNotChecked', message: authority.unread };
}

/** Returns whose turn a check is: that of the namespace of the policies, or of all together that share a Vault. */
function groupOf(policies: ReadonlySet<string>): string {
  const namespaces = new Set([...policies].map((policy) => partsOfKey(policy).namespace));
  const [only = ''] = namespaces;
  return namespaces.size === 1 ? only : '';
}
