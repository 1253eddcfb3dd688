import { Listeners } from '../../kube/listeners.ts';
import { equal } from '../../core/json.ts';
import { compareText } from '../../core/order.ts';
import { partsOfKey } from '../../core/object.ts';
import { matcherOf } from '../../core/policy/match.ts';
import type { Rule } from '../../core/policy/rule.ts';
import type { RestartWish, Use } from '../../core/workload/restarts.ts';
import type { VaultIdentity } from '../vault-identities.ts';
import { wishOf } from './baselines.ts';
import { isHiddenIn } from './hidden-paths.ts';
import { boundsOf, choiceAmong, type IdentityChoice } from './identity-choice.ts';
import { kvPathOf } from './kv-path.ts';
import { rotatingOf } from './rotating.ts';
import type { Statement } from '../policies/conditions.ts';
import { VersionPoller, type VersionPollerOptions } from './version-poller.ts';

export interface RotationOptions extends Omit<VersionPollerOptions, 'onChange'> {
  /** All that the operator may log in as. */
  readonly identities: readonly VaultIdentity[];
}

type RotatingRule = Pick<Rule, 'vault' | 'rotation'>;

// Polling them takes a Vault about a second; what is kept and compared for each policy has a bound, too.
const MOST_WATCHED = 2_000;

/** What is wanted of a policy whose identity is known. */
interface Wanted {
  readonly identity: VaultIdentity;
  readonly intervalMs: number;
  readonly uses: readonly Use[];
  /** Metadata path by the path in references: only what may be asked for. */
  readonly watched: ReadonlyMap<string, string>;
  /** Paths that have no versions. */
  readonly unwatchable: readonly string[];
  /** Paths out of the bounds of the identity. */
  readonly outside: readonly string[];
  /** How many paths are not watched, because the policy's workloads read too many. */
  readonly omitted: number;
  /** How many workloads would be watched for if their pods had started. */
  readonly waiting: number;
}

/**
 * Which workloads should restart because a secret that they read has a newer version. Callers keep it up to date with
 * policies and workloads, and it asks Vault again after each start: nothing is lost by a stop.
 *
 * It asks only for what an identity in the operator's settings allows, and only for paths that running pods have started
 * with: who learns a version could read the secret.
 */
export class Rotation {
  readonly #options: RotationOptions;
  readonly #choose: IdentityChoice;
  /** By policy; a statement: why nothing is asked for it. */
  readonly #wanted = new Map<string, Wanted | Statement>();
  readonly #listeners = new Listeners<[policyKey: string]>();
  #poller: VersionPoller | undefined;

  constructor(options: RotationOptions) {
    this.#options = options;
    this.#choose = choiceAmong(options.identities);
  }

  /**
   * Sets all injected workloads of a policy. Without a rule, or with one that does not rotate, there are none any more.
   * Listeners hear of the policy if its condition changes.
   */
  want(policyKey: string, rule: RotatingRule | undefined, uses: readonly Use[]): void {
    const before = this.stateOf(policyKey);
    if (rule?.rotation.strategy === 'Restart') this.#wanted.set(policyKey, this.#wantedOf(policyKey, rule, uses));
    else this.#wanted.delete(policyKey);
    this.#watch(policyKey);
    // nobody else may have anything to say about it for long
    if (!equal(before, this.stateOf(policyKey))) this.#listeners.notify(policyKey);
  }

  #wantedOf(policyKey: string, { vault, rotation }: RotatingRule, uses: readonly Use[]): Wanted | Statement {
    const { namespace } = partsOfKey(policyKey);
    const identity = this.#choose({ namespace, name: rotation.vault, vault });
    if ('status' in identity) return identity;
    const isWithin = matcherOf(boundsOf(identity, namespace));
    const allowed = new Map<string, string>();
    const unwatchable: string[] = [];
    const outside: string[] = [];
    for (const path of new Set(uses.flatMap((use) => use.reads))) {
      const kv = kvPathOf(path);
      if (kv === undefined) unwatchable.push(path);
      else if (!isWithin(kv.data)) outside.push(path);
      else allowed.set(path, kv.metadata);
    }
    const started = new Set(uses.flatMap((use) => use.startedWith));
    const waiting = uses.filter(
      ({ reads, startedWith }) => startedWith.length === 0 && reads.some((path) => allowed.has(path)),
    ).length;
    const all = [...allowed].filter(([path]) => started.has(path)).sort(([a], [b]) => compareText(a, b));
    const watched = new Map(all.slice(0, MOST_WATCHED));
    const omitted = all.length - watched.size;
    return { identity, intervalMs: rotation.intervalMs, uses, watched, unwatchable, outside, waiting, omitted };
  }

  /** Returns what should be done now for the workloads of a policy, in the order of want(). */
  wishesOf(policyKey: string): readonly RestartWish[] {
    const wanted = this.#wanted.get(policyKey);
    if (wanted === undefined || 'status' in wanted) return [];
    const versionOf = (path: string): number | undefined => {
      const metadataPath = wanted.watched.get(path);
      const answer = metadataPath === undefined ? undefined : this.#poller?.answerFor(policyKey, metadataPath);
      return answer?.kind === 'Version' ? answer.version : undefined;
    };
    return wanted.uses.map((use) => wishOf(use, versionOf)).filter((wish) => wish !== undefined);
  }

  /** Returns the condition Rotating; undefined if the policy does not rotate. */
  stateOf(policyKey: string): Statement | undefined {
    const wanted = this.#wanted.get(policyKey);
    if (wanted === undefined || 'status' in wanted) return wanted;
    const { identity, intervalMs, watched, unwatchable, outside, waiting, omitted } = wanted;
    const paths = [...new Set(watched.values())];
    return rotatingOf({
      entry: identity.name,
      intervalMs,
      failure: this.#poller?.failureFor(policyKey),
      answers: new Map(paths.map((path) => [path, this.#poller?.answerFor(policyKey, path)])),
      unwatchable,
      outside,
      waiting,
      omitted,
      isHidden: isHiddenIn(wanted.uses, watched),
    });
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
    for (const policyKey of this.#wanted.keys()) this.#watch(policyKey);
  }

  /** Stops asking, and revokes its tokens. It can be started again. */
  async stop(): Promise<void> {
    const poller = this.#poller;
    this.#poller = undefined;
    await poller?.stop();
  }

  #watch(policyKey: string): void {
    const wanted = this.#wanted.get(policyKey);
    if (wanted === undefined || 'status' in wanted) this.#poller?.unwatch(policyKey);
    else this.#poller?.watch(policyKey, wanted.identity, wanted.intervalMs, new Set(wanted.watched.values()));
  }
}
