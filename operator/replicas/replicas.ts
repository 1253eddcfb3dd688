import type { IdentityLeases } from '../../kube/identity-lease.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Clock } from '../../kube/clock.ts';
import { OwnDenials } from './own-denials.ts';
import type { DeniedWorkload } from './own-denials.ts';
import { decodeState, encodeState } from './state.ts';
import { OwnPods } from './own-pods.ts';
import type { PodOutcome, ReplicaState } from './state.ts';

export interface ReplicasOptions {
  readonly leases: Pick<IdentityLeases, 'start' | 'stop' | 'publish' | 'others' | 'onChange' | 'sweep' | 'synced'>;
  /** Of this process. */
  readonly identity: string;
  /** Returns the resourceVersion up to which the rules of policies are in force here; '' if they are not loaded. */
  readonly policies: () => string;
  readonly clock: Clock;
}

/** What a replica tells about itself as it changes. */
export type Publication = Partial<Pick<ReplicaState, 'ready' | 'authorities' | 'serves' | 'paths'>>;

// An API server that does not answer, or a Role without the right to list Leases, must not keep a replica from starting.
const KNOWN_WITHIN_MS = 3_000;

/** What the replicas of the operator tell each other: each by its own Lease, and of itself from memory. */
export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #listeners = new Listeners();
  readonly #denials: OwnDenials;
  readonly #pods: OwnPods;
  #own: ReplicaState;
  /** Of #own. */
  #document: string;
  /** By identity, what was read of the other replicas' documents: each review asks for it. */
  #read = new Map<string, { readonly document: string | undefined; readonly state: ReplicaState }>();

  constructor(options: ReplicasOptions) {
    const { identity, leases, policies } = options;
    this.#options = options;
    this.#denials = new OwnDenials(options.clock);
    this.#pods = new OwnPods(options.clock);
    this.#own = { identity, ready: false, policies: policies(), authorities: [], serves: '', paths: [], denials: [] };
    this.#document = encodeState(this.#own);
    leases.onChange(() => this.#listeners.notify());
  }

  /** Starts; resolves when the others are known, or after three seconds. */
  async start(): Promise<void> {
    this.publish({});
    await this.#options.leases.start(KNOWN_WITHIN_MS);
  }

  /** The others no longer reckon with this replica afterwards. */
  async stop(): Promise<void> {
    await this.#options.leases.stop();
  }

  /** Whether the others have been looked for with success since the start. */
  get known(): boolean {
    return this.#options.leases.synced;
  }

  /**
   * Tells the others what has changed. Without changes, only what changes by itself: what options.policies() returns,
   * denials that are too old, and how many pods were reviewed. Call it every few seconds at least.
   */
  publish(changes: Publication): void {
    const { leases, policies } = this.#options;
    const before = this.#document;
    const { ready } = { ...this.#own, ...changes };
    const [denials, pods] = [this.#denials.list(), this.#pods.list(ready)];
    this.#own = { ...this.#own, ...changes, policies: policies(), denials, ...(pods.length > 0 && { pods }) };
    this.#document = encodeState(this.#own);
    leases.publish(this.#document);
    if (this.#document !== before) this.#listeners.notify();
  }

  /** Tells the others that a workload of this policy (`namespace/name`) was just denied here. */
  denied(policyKey: string, denied: DeniedWorkload): void {
    if (this.#denials.note(policyKey, denied)) this.publish({});
  }

  /**
   * Counts a pod that was reviewed here because of this policy (`namespace/name`, and its uid). The others are told with
   * the next publish(), and at once when this replica is not ready: it may be ending.
   */
  podReviewed(policyKey: string, uid: string, outcome: PodOutcome): void {
    this.#pods.note(policyKey, uid, outcome);
    if (!this.#own.ready) this.publish({});
  }

  /** Returns the states of the other replicas that are alive. */
  others(): readonly ReplicaState[] {
    const before = this.#read;
    this.#read = new Map(
      this.#options.leases.others().map(({ identity, document }) => {
        const known = before.get(identity);
        const isSame = known !== undefined && known.document === document;
        return [identity, isSame ? known : { document, state: decodeState(identity, document) }];
      }),
    );
    return [...this.#read.values()].map(({ state }) => state);
  }

  /** Returns the states of all replicas that are alive, this one first. */
  all(): readonly ReplicaState[] {
    return [this.#own, ...this.others()];
  }

  /** Whether this replica may lead: it is ready, or no other one is, as when the first one is started. */
  mayLead(): boolean {
    return this.#own.ready || !this.others().some(({ ready }) => ready);
  }

  /** Calls `listener` after each change of what all() and `known` return; returns a function that removes it. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Deletes the Leases of replicas that have been gone for five minutes. Rejects with ApiError. */
  async sweep(): Promise<void> {
    await this.#options.leases.sweep();
  }
}
