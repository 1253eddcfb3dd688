import { shortHash } from '../../core/hash.ts';
import { equal } from '../../core/json.ts';
import { partsOfKey } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { Clock } from '../../kube/clock.ts';
import { describeError, isNotFound, isRefusal } from '../../kube/errors.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { Turns } from '../../kube/turns.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import { POLICIES } from '../policies/reconciler.ts';
import type { PublishedPods, ReplicaState } from '../replicas/state.ts';
import { podStatusOf, withTold } from './pod-sums.ts';
import type { PodStatus } from './pod-sums.ts';

/** Owner of status.pods in managedFields: not that of the other status fields, which are applied as a whole. */
export const PODS_FIELD_MANAGER = 'vault-injection-operator-pods';

export interface PodCountsOptions {
  readonly client: Pick<ObjectClient, 'get' | 'apply'>;
  /** Only the leader writes. */
  readonly isLeader: () => boolean;
  /** Returns what all replicas tell, this one included. */
  readonly states: () => readonly Pick<ReplicaState, 'identity' | 'pods'>[];
  /** Returns the uid of a policy (`namespace/name`) that governs; undefined if there is none. */
  readonly uidOf: (policyKey: string) => string | undefined;
  /** Whether the CRD in the cluster has the field. */
  readonly isKnownField: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

interface Written {
  readonly uid: string;
  readonly status: PodStatus | undefined;
  /** By Clock.elapsed(); undefined if another process has written it. */
  readonly at: number | undefined;
}

// The first one is written at once.
const EVERY_MS = 30_000;
// A thousand policies may have something to tell at once, as when a leader begins.
const PACE = { burst: 20, everyMs: 100 };
// Of a process that is gone: what it told last is written by then.
const KEPT_MS = 600_000;

/** What a process has told: kept when it is gone, for the sums of a later leader. */
interface Seen {
  at: number;
  /** As it was told last. */
  told: ReplicaState['pods'];
  /** By policy. */
  readonly pods: Map<string, PublishedPods>;
}

/**
 * Writes status.pods of policies: it adds up what all replicas tell. What of each process is in the sums is written
 * together with them, so that neither a restart nor another leader, at whatever moment, counts anything twice or forgets
 * what was told.
 */
export class PodCounts {
  readonly #options: PodCountsOptions;
  /** By an id of the process. */
  readonly #seen = new Map<string, Seen>();
  /** Key: policy. What the API server has. */
  readonly #written = new Map<string, Written>();
  readonly #queue: WorkQueue;
  readonly #turns: Turns;
  #isLeading = false;

  constructor(options: PodCountsOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#turns = new Turns({ clock, ...PACE });
    const what = 'writing how many pods were reviewed';
    this.#queue = new WorkQueue({ process: (policyKey) => this.#write(policyKey), clock, random, logger, what });
  }

  /** Call it when what states() returns has changed, or the leader. */
  look(): void {
    const { isLeader, clock } = this.#options;
    const news = this.#see();
    const wasLeading = this.#isLeading;
    this.#isLeading = isLeader();
    if (!this.#isLeading) {
      // the next time it leads, the statuses tell what others have written
      this.#written.clear();
      return;
    }
    const all = (): Iterable<string> => [...this.#seen.values()].flatMap(({ pods }) => [...pods.keys()]);
    for (const policyKey of wasLeading ? news : new Set(all())) {
      const at = this.#written.get(policyKey)?.at ?? -Infinity;
      this.#queue.addAfter(policyKey, Math.max(0, at + EVERY_MS - clock.elapsed()));
    }
  }

  /** Forgets a policy that is gone. */
  forget(policyKey: string): void {
    this.#queue.forget(policyKey);
    this.#turns.forget(policyKey);
    this.#written.delete(policyKey);
    for (const { pods } of this.#seen.values()) pods.delete(policyKey);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  /** Returns the policies of which something new is told. */
  #see(): ReadonlySet<string> {
    const { states, clock } = this.#options;
    const now = clock.elapsed();
    const news = new Set<string>();
    for (const { identity, pods = [] } of states()) {
      const id = shortHash(identity);
      const seen = this.#seen.get(id) ?? { at: now, told: undefined, pods: new Map<string, PublishedPods>() };
      this.#seen.set(id, seen);
      seen.at = now;
      if (seen.told === pods) continue;
      seen.told = pods;
      for (const one of pods) {
        if (!equal(seen.pods.get(one.policy), one)) news.add(one.policy);
        seen.pods.set(one.policy, one);
      }
    }
    for (const [id, { at }] of this.#seen) if (now - at >= KEPT_MS) this.#seen.delete(id);
    return news;
  }

  #next(policyKey: string, uid: string, known: PodStatus | undefined): PodStatus | undefined {
    const told = [...this.#seen].flatMap(([id, { pods }]): [string, PublishedPods][] => {
      const one = pods.get(policyKey);
      return one?.uid === uid ? [[id, one]] : [];
    });
    return withTold(known, new Map(told), new Set(this.#seen.keys()));
  }

  async #write(policyKey: string): Promise<void> {
    const { isLeader, uidOf, isKnownField, clock, logger } = this.#options;
    const uid = uidOf(policyKey);
    if (!isLeader() || uid === undefined) return;
    const waitMs = isKnownField() ? this.#turns.waitFor(policyKey) : EVERY_MS;
    if (waitMs > 0) {
      this.#queue.addAfter(policyKey, waitMs);
      return;
    }
    try {
      const written = this.#written.get(policyKey);
      const known = written?.uid === uid ? written.status : await this.#stored(policyKey, uid);
      const status = this.#next(policyKey, uid, known);
      if (!isLeader()) return;
      if (status !== undefined && status !== known) await this.#apply(policyKey, uid, status);
      this.#written.set(policyKey, { uid, status, at: status === known ? written?.at : clock.elapsed() });
    } catch (error) {
      // the queue retries, with the newest sums
      if (!isRefusal(error)) throw error;
      // the policy is gone
      if (isNotFound(error)) return;
      this.#queue.addAfter(policyKey, EVERY_MS);
      logger.warn({ policy: policyKey, error: describeError(error) }, 'counts of pods could not be reported');
    }
  }

  /** Returns what the status says already. Rejects with ApiError. */
  async #stored(policyKey: string, uid: string): Promise<PodStatus | undefined> {
    const { namespace, name } = partsOfKey(policyKey);
    const policy = await this.#options.client.get<KubernetesObject & { status?: { pods?: unknown } }>(
      { ...POLICIES, namespace },
      name,
    );
    return policy?.metadata.uid === uid ? podStatusOf(policy.status?.pods) : undefined;
  }

  async #apply(policyKey: string, uid: string, pods: PodStatus): Promise<void> {
    const { namespace, name } = partsOfKey(policyKey);
    const object: KubernetesObject = {
      apiVersion: `${POLICIES.group}/${POLICIES.version}`,
      kind: 'VaultInjectionPolicy',
      // one of the same name that took its place is not written to
      metadata: { name, namespace, uid },
      status: { pods },
    };
    const options = { fieldManager: PODS_FIELD_MANAGER, subresource: 'status' };
    await this.#options.client.apply({ ...POLICIES, namespace }, object, options);
  }
}
