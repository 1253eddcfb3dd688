import { Listeners } from '../../kube/listeners.ts';
import { AUTH_METHODS } from '../../core/auth-methods.ts';
import { equal } from '../../core/json.ts';
import { partsOfKey } from '../../core/object.ts';
import type { Rule, RuleVault } from '../../core/policy/rule.ts';
import type { AuthorityOf } from '../vault/authorities.ts';
import type { RestartWish, Use } from '../../core/workload/restarts.ts';
import { wishOf } from './baselines.ts';
import { metadataPathOf } from './kv-path.ts';
import { rotatingOf } from './rotating.ts';
import type { Statement } from '../policies/conditions.ts';
import { VersionPoller, type PolledVault, type VersionPollerOptions } from './version-poller.ts';

export interface RotationOptions extends Omit<VersionPollerOptions, 'onChange'> {
  /** Returns whether the operator may log in to this namespace of this Vault. */
  readonly isAllowed: (address: string, namespace: string) => boolean;
  /** Returns the authorities in the objects that policies refer to. */
  readonly authorityOf: AuthorityOf;
  /** Where to log in, without auth/ before it, for policies whose pods log in without a ServiceAccount token. */
  readonly mountPath: string;
}

interface Wanted {
  readonly vault: RuleVault;
  readonly intervalMs: number;
  readonly uses: readonly Use[];
  /** Metadata path by the path in references; undefined if there is none. */
  readonly metadataPaths: ReadonlyMap<string, string | undefined>;
}

/**
 * Which workloads should restart because a secret that they read has a newer version. Callers keep it up to date with
 * policies and workloads, and it asks Vault again after each start: nothing is lost by a stop.
 */
export class Rotation {
  readonly #options: RotationOptions;
  readonly #wanted = new Map<string, Wanted>();
  readonly #listeners = new Listeners<[policyKey: string]>();
  #poller: VersionPoller | undefined;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /**
   * Sets all injected workloads of a policy. Without a rule, or with one that does not rotate, there are none any more.
   * Listeners hear of the policy if its condition changes.
   */
  want(policyKey: string, rule: Pick<Rule, 'vault' | 'rotation'> | undefined, uses: readonly Use[]): void {
    const before = this.stateOf(policyKey);
    this.#want(policyKey, rule, uses);
    // nobody else may have anything to say about it for long
    if (!equal(before, this.stateOf(policyKey))) this.#listeners.notify(policyKey);
  }

  #want(policyKey: string, rule: Pick<Rule, 'vault' | 'rotation'> | undefined, uses: readonly Use[]): void {
    if (rule?.rotation.strategy !== 'Restart') {
      this.#wanted.delete(policyKey);
      this.#poller?.unwatch(policyKey);
      return;
    }
    const { vault, rotation } = rule;
    const reads = new Set(uses.flatMap((use) => use.reads));
    const wanted: Wanted = {
      vault,
      intervalMs: rotation.intervalMs,
      uses,
      metadataPaths: new Map([...reads].map((path) => [path, metadataPathOf(path)])),
    };
    this.#wanted.set(policyKey, wanted);
    this.#watch(policyKey, wanted);
  }

  /** Returns what should be done now for the workloads of a policy, in the order of want(). */
  wishesOf(policyKey: string): readonly RestartWish[] {
    const wanted = this.#wanted.get(policyKey);
    if (wanted === undefined) return [];
    const versionOf = (path: string): number | undefined => {
      const metadataPath = wanted.metadataPaths.get(path);
      const answer = metadataPath === undefined ? undefined : this.#poller?.answerFor(policyKey, metadataPath);
      return answer?.kind === 'Version' ? answer.version : undefined;
    };
    return wanted.uses.map((use) => wishOf(use, versionOf)).filter((wish) => wish !== undefined);
  }

  /** Returns the condition Rotating; undefined if the policy does not rotate. */
  stateOf(policyKey: string): Statement | undefined {
    const wanted = this.#wanted.get(policyKey);
    if (wanted === undefined) return undefined;
    const polled = this.#polledVaultOf(policyKey, wanted.vault);
    if ('status' in polled) return polled;
    const paths = [...new Set(wanted.metadataPaths.values())].filter((path) => path !== undefined);
    return rotatingOf({
      intervalMs: wanted.intervalMs,
      failure: this.#poller?.failureFor(policyKey),
      answers: new Map(paths.map((path) => [path, this.#poller?.answerFor(policyKey, path)])),
      unwatchable: [...wanted.metadataPaths].filter(([, path]) => path === undefined).map(([path]) => path),
    });
  }

  /** Call it when `authorityOf` returns something else for this policy. */
  authorityChanged(policyKey: string): void {
    const wanted = this.#wanted.get(policyKey);
    if (wanted === undefined) return;
    this.#watch(policyKey, wanted);
    this.#listeners.notify(policyKey);
  }

  /** Calls `listener` with each policy whose wishes or condition may have changed. */
  onChange(listener: (policyKey: string) => void): void {
    this.#listeners.add(listener);
  }

  /** Starts to ask Vaults. Only one replica does: the one that may restart workloads. */
  start(): void {
    if (this.#poller !== undefined) return;
    const onChange = (policies: readonly string[]): void =>
      policies.forEach((policy) => this.#listeners.notify(policy));
    this.#poller = new VersionPoller({ ...this.#options, onChange });
    for (const [policyKey, wanted] of this.#wanted) this.#watch(policyKey, wanted);
  }

  /** Stops asking, and revokes its tokens. It can be started again. */
  async stop(): Promise<void> {
    const poller = this.#poller;
    this.#poller = undefined;
    await poller?.stop();
  }

  #watch(policyKey: string, { vault, intervalMs, metadataPaths }: Wanted): void {
    const polled = this.#polledVaultOf(policyKey, vault);
    if ('status' in polled) {
      this.#poller?.unwatch(policyKey);
      return;
    }
    const paths = new Set([...metadataPaths.values()].filter((path) => path !== undefined));
    this.#poller?.watch(policyKey, polled, intervalMs, paths);
  }

  /** Returns which Vault to ask, or why none is asked. */
  #polledVaultOf(policyKey: string, { address, namespace, tls, auth }: RuleVault): PolledVault | Statement {
    const where = namespace === '' ? address : `${address}#${namespace}`;
    if (!this.#options.isAllowed(address, namespace)) {
      const message = `the operator logs in only to Vaults that its setting rotationVaults names, and ${where} is not one of them`;
      return { status: 'False', reason: 'RotationVaultNotAllowed', message };
    }
    const { namespace: ofPolicy } = partsOfKey(policyKey);
    const authority = tls.caRef === undefined ? tls : this.#options.authorityOf(ofPolicy, tls.caRef);
    if (authority === undefined) {
      return {
        status: 'Unknown',
        reason: 'RotationPending',
        message: 'the CA certificates of Vault have not been read yet',
      };
    }
    if ('unread' in authority) return { status: 'False', reason: 'RotationAuthorityUnread', message: authority.unread };
    const takesOurToken = AUTH_METHODS[auth.method].takesToken;
    const target = { address, caBundle: authority.caBundle, serverName: tls.serverName, namespace };
    return { target, mountPath: takesOurToken ? auth.mountPath : this.#options.mountPath };
  }
}
