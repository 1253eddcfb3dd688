import type { Clock } from '../../kube/clock.ts';
import type { InformerObserver } from '../../kube/informer.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import { Slice, Slices } from '../../kube/slices.ts';
import type { RuleCache } from '../policies/rule-cache.ts';
import type { RawObject } from '../../core/json.ts';
import { isInjected } from '../../core/injection/injected.ts';
import { isLeftToMaker, kindOfObject, KINDS } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { keyOf } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { governorsOf } from '../../core/policy/governing.ts';
import type { Rules, RuleSnapshot } from '../../core/policy/rule.ts';
import { compareVersions } from '../../core/resource-version.ts';
import { ClusterWatch } from './cluster-watch.ts';
import type { KindProblem } from './kind-watch.ts';
import { InjectedNamespaces } from './injected-namespaces.ts';
import { Refetch } from './refetch.ts';
import { RuledNamespace } from './ruled-namespace.ts';
import type { Entry } from './ruled-namespace.ts';
import { TargetedKinds } from './targeted-kinds.ts';
import { Uncovered } from './uncovered.ts';
import { WorkloadStore } from './workload-store.ts';
import { isNewcomer } from '../../core/workload/standing.ts';
import type { Standing } from '../../core/workload/standing.ts';
import type { Workload } from '../../core/workload/workload.ts';
import { partsOfWorkloadKey, workloadKey, workloadOf } from '../../core/workload/workload.ts';

/** A workload and its standing under the policy that applies to it. */
export interface Judged {
  readonly key: string;
  readonly workload: Workload;
  readonly standing: Standing;
}

/** The result of one judgement; `before` is undefined if it was not judged before, or under no policy. */
export interface Judgement {
  readonly key: string;
  readonly workload: Workload;
  readonly standing: Standing | undefined;
  readonly before: Standing | undefined;
  /** It appeared after the namespace was listed: somebody has just created it. */
  readonly isNew: boolean;
}

export interface InventoryOptions {
  readonly client: Pick<ObjectClient, 'get' | 'list' | 'watch'>;
  readonly rules: Rules & Pick<RuleCache, 'snapshot' | 'namespaces' | 'onChange'>;
  /** Those that the operator knows (default: the built-in ones). */
  readonly kinds?: Kinds;
  /**
   * Whether API servers send objects of a kind to the webhook, by what they were last told (default: no). An earlier policy
   * may have had them injected, so they are looked for.
   */
  readonly isSent?: (kind: WorkloadKind) => boolean;
  /** Called when what problemOf() returns has changed. */
  readonly onProblem?: () => void;
  /** Whether nothing in this namespace is ever injected. */
  readonly excludes: (namespace: string) => boolean;
  /** The pure core, with what is known about images and other objects. */
  readonly judge: (key: string, workload: Workload, object: RawObject, rules: RuleSnapshot) => Standing | undefined;
  /** Returns the policy that would apply to a workload that none does, if it named its kind. Default: none would. */
  readonly uncoveredBy?: (workload: Workload, object: RawObject, rules: RuleSnapshot) => string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly observer?: InformerObserver;
  readonly relistMs?: number;
  /** Called with every judgement. Must only note it. */
  readonly onJudged?: (judgement: Judgement) => void;
  /** Called when a workload is gone, or its namespace has no rules any more. */
  readonly onGone?: (key: string) => void;
  /** Called when something about the workloads of this policy (`namespace/name`) has changed. */
  readonly onChanged: (policyKey: string) => void;
  /** Called when all of this namespace is known and judged; again after each time that some of it was not. */
  readonly onSettled: (namespace: string) => void;
}

/** What judging a workload has found. */
interface Found {
  readonly standing?: Standing;
  readonly uncoveredBy?: string | undefined;
}

// Workloads that may wait to be judged before no more are taken from a watch.
const BACKLOG = 16;

/**
 * Every workload of the namespaces that have rules, and its standing. It is derived from the state of the API server
 * alone, so each process comes to the same result. Each replica keeps one, not just the leader: it warms the replica's
 * own cache of images, and a new leader knows everything at once.
 *
 * A workload is judged when it arrives, and only the result is kept. When the rules or an answer about what it refers to
 * change, it is fetched again (ADR 17).
 */
export class Inventory {
  readonly #options: InventoryOptions;
  readonly #namespaces = new Map<string, RuledNamespace>();
  readonly #injected = new InjectedNamespaces();
  readonly #kinds: Kinds;
  readonly #targeted = new TargetedKinds();
  /** Kinds that nobody names, and of which no injected ones were found. */
  readonly #cleared = new Set<WorkloadKind>();
  readonly #slices: Slices;
  readonly #settling: Slices;
  readonly #counts = new Map<Standing['state'], number>();
  readonly #uncovered = new Uncovered();
  #newcomers = 0;
  readonly #watch: ClusterWatch;
  readonly #refetch: Refetch;
  #isGoing = false;
  #isWatching = false;
  #isStopped = false;

  constructor(options: InventoryOptions) {
    this.#options = options;
    const { kinds = KINDS } = options;
    this.#kinds = kinds;
    this.#slices = new Slices({ work: (key) => this.#work(key), clock: options.clock });
    this.#settling = new Slices({ work: (namespace) => this.#settled(namespace), clock: options.clock });
    const whenReady = (): Promise<void> | undefined =>
      this.#slices.depth < BACKLOG ? undefined : this.#slices.whenIdle();
    const arrivals = {
      namespaces: this.#namespaces,
      gone: (namespace: string, key: string): void => this.#gone(namespace, key),
    };
    this.#watch = new ClusterWatch({
      ...options,
      kinds,
      whenReady,
      storeOf: (kind) =>
        new WorkloadStore(kind, {
          ...arrivals,
          injected: this.#injected,
          arrived: (object) => this.#arrived(object, true),
        }),
      onSynced: () => this.#synced(),
      onProblem: () => options.onProblem?.(),
    });
    this.#refetch = new Refetch({
      ...options,
      ...arrivals,
      whenReady,
      kinds,
      watched: () => this.#watch.watched,
      isSynced: (kind) => this.#watch.isSynced(kind),
      arrived: (object) => this.#arrived(object, false),
      onDone: (namespace) => this.#settled(namespace),
    });
    options.rules.onChange((namespace) => this.#rulesChanged(namespace));
  }

  /** Starts with the namespaces that have rules now. Does nothing after stop(). */
  start(): void {
    if (this.#isStopped) return;
    this.#isGoing = true;
    void this.#begin();
  }

  /** Starts the watch when all namespaces that have rules are known: its first list brings their workloads. */
  async #begin(): Promise<void> {
    const { rules, clock } = this.#options;
    const slice = new Slice(clock);
    for (const namespace of rules.namespaces().keys()) {
      if (this.#isRuled(namespace) && !this.#namespaces.has(namespace))
        this.#namespaces.set(namespace, new RuledNamespace(true));
      this.#noteTargets(namespace);
      this.#tellRules(namespace);
      if (slice.isOver) await slice.next();
      if (this.#isStopped) return;
    }
    this.#isWatching = true;
    this.#watch.start();
    this.#lookAtKinds();
  }

  #isRuled(namespace: string): boolean {
    const { rules, excludes } = this.#options;
    return !excludes(namespace) && governorsOf(rules, namespace).length > 0;
  }

  async stop(): Promise<void> {
    this.#isGoing = false;
    this.#isWatching = false;
    this.#isStopped = true;
    for (const namespace of [...this.#namespaces.keys()]) this.#leave(namespace);
    await Promise.all([this.#watch.stop(), this.#refetch.stop()]);
  }

  /** Whether all of the namespace is known and judged by the current rules. */
  settled(namespace: string): boolean {
    if (!this.#watch.synced || this.#namespaces.get(namespace)?.isSettled !== true) return false;
    const named = [...this.#targeted.of(namespace)];
    return named.every((kind) => !this.#watch.optional.includes(kind) || this.#watch.isSynced(kind));
  }

  /** Returns why nothing is known of a kind that policies name; undefined: something is. */
  problemOf(kind: WorkloadKind): KindProblem | undefined {
    return this.#watch.problemOf(kind);
  }

  /** Whether all workloads of a kind are known that may be injected, or cannot be. */
  knows(kind: WorkloadKind): boolean {
    if (!this.#watch.optional.includes(kind)) return this.#watch.isSynced(kind);
    // asked for before anybody has told that it is sent
    this.#lookAtKinds();
    return !this.#watch.isWanted(kind) || this.#watch.isSynced(kind);
  }

  get #knowsAll(): boolean {
    return this.#watch.synced && this.#watch.optional.every((kind) => this.knows(kind));
  }

  /**
   * Whether any workload of the kind in the namespace, with or without rules, is stored injected; undefined: not all are
   * known yet.
   */
  holdsInjected(namespace: string, kind: WorkloadKind): boolean | undefined {
    // there may be some where none may be listed
    const isKnown = this.knows(kind) && this.#watch.problemOf(kind) !== 'Forbidden';
    return isKnown ? this.#injected.has(namespace, kind) : undefined;
  }

  /** Returns the kinds for which holdsInjected() returns true, by namespace; undefined: not all are known yet. */
  injectedKinds(): ReadonlyMap<string, ReadonlySet<WorkloadKind>> | undefined {
    return this.#knowsAll ? this.#injected.kinds : undefined;
  }

  /** When the API server last confirmed that the workloads are current, by Clock.elapsed(); undefined: not yet. */
  get lastSeen(): number | undefined {
    return this.#watch.lastSeen;
  }

  get(key: string): Judged | undefined {
    const entry = this.#entry(key);
    if (entry?.standing === undefined) return undefined;
    return { key, workload: entry.workload, standing: entry.standing };
  }

  /** Returns the workloads of the namespace that any policy applies to. */
  ofNamespace(namespace: string): readonly Judged[] {
    const entries = [...(this.#namespaces.get(namespace)?.entries ?? [])];
    return entries.flatMap(([key, { workload, standing }]) => (standing ? [{ key, workload, standing }] : []));
  }

  /** Returns all workloads that any policy applies to. */
  list(): readonly Judged[] {
    return [...this.#namespaces.keys()].flatMap((namespace) => this.ofNamespace(namespace));
  }

  /** Returns how many are in each state. */
  counts(): Readonly<Partial<Record<Standing['state'], number>>> {
    return Object.fromEntries(this.#counts);
  }

  /** Workloads that would be injected if a policy of their namespace named their kind. */
  get uncovered(): Pick<Uncovered, 'of' | 'counts'> {
    return this.#uncovered;
  }

  /** How many of those that are Missed ran before their policy, which leaves them to its rollout. */
  get newcomers(): number {
    return this.#newcomers;
  }

  /** Judges a workload again, because what is known about its images or other objects has changed. */
  judgeAgain(key: string): void {
    const ruled = this.#namespaces.get(namespaceOf(key));
    if (ruled?.entries.has(key) === true && !ruled.isWaiting(key)) this.#refetch.one(key, ruled);
  }

  /** Takes the API server's response to a write, which may come before or after the watch event. Judges it at once. */
  saw(object: KubernetesObject): void {
    const workload = workloadOf(object, this.#kinds);
    const key = workloadKey(workload);
    const ruled = this.#namespaces.get(workload.metadata.namespace);
    const entry = ruled?.entries.get(key);
    if (ruled === undefined || entry === undefined) return;
    const order = orderOf(workload, entry.workload);
    if (order === 0 && !ruled.isWaiting(key)) return;
    // what waits is as new as what is known
    const newest = order < 0 ? ruled.arrived.get(key) : object;
    if (newest === undefined) return;
    if (order > 0) this.#keep(entry, workload, key, object);
    this.#unwait(ruled, key);
    this.#judge(key, ruled, newest);
    this.#settled(workload.metadata.namespace);
  }

  #rulesChanged(namespace: string): void {
    if (!this.#isGoing) return;
    this.#noteTargets(namespace);
    // what is watched from now on is fetched by its first list
    this.#lookAtKinds();
    if (!this.#isRuled(namespace)) this.#leave(namespace);
    else this.#refetch.all(namespace, this.#namespaces.get(namespace) ?? this.#join(namespace));
    this.#tellRules(namespace);
  }

  #noteTargets(namespace: string): void {
    const { rules } = this.#options;
    const governors = this.#isRuled(namespace) ? governorsOf(rules, namespace) : [];
    this.#targeted.set(namespace, new Set(governors.flatMap(({ targets }) => targets)));
  }

  /** Watches those kinds that policies name, and those of which there are injected ones, or may be. */
  #lookAtKinds(): void {
    if (!this.#isWatching) return;
    for (const kind of this.#watch.optional) this.#watch.want(kind, this.#isNeeded(kind));
  }

  #isNeeded(kind: WorkloadKind): boolean {
    if (this.#targeted.has(kind)) return true;
    if (this.#watch.isWanted(kind)) {
      if (!this.#watch.isSynced(kind) || this.#injected.some(kind)) return true;
      this.#cleared.add(kind);
      return false;
    }
    return this.#options.isSent?.(kind) === true && !this.#cleared.has(kind);
  }

  #synced(): void {
    this.#lookAtKinds();
    this.#namespaces.forEach((_, namespace) => this.#settling.add(namespace));
  }

  #tellRules(namespace: string): void {
    const { rules, onChanged } = this.#options;
    for (const { policy } of governorsOf(rules, namespace)) onChanged(keyOf(policy));
  }

  #join(namespace: string): RuledNamespace {
    const ruled = new RuledNamespace(false);
    this.#namespaces.set(namespace, ruled);
    return ruled;
  }

  #leave(namespace: string): void {
    const ruled = this.#namespaces.get(namespace);
    if (ruled === undefined) return;
    for (const key of [...ruled.entries.keys()]) this.#drop(key, ruled);
    this.#namespaces.delete(namespace);
    this.#refetch.forget(namespace);
  }

  /** @param isWatched it comes from the watch or its list: what is known already need not be judged again */
  #arrived(object: KubernetesObject, isWatched: boolean): void {
    const kind = kindOfObject(object, this.#kinds);
    const { namespace = '', name } = object.metadata;
    if (isLeftToMaker(kind, object, this.#kinds)) {
      // also one that has got an owner since
      this.#gone(namespace, workloadKey({ kind, metadata: { namespace, name } }));
      return;
    }
    const workload = workloadOf(object, this.#kinds);
    const key = workloadKey(workload);
    const ruled = this.#namespaces.get(namespace);
    if (ruled === undefined) {
      this.#noteInjected(namespace, key, isInjected(workload.kind, object, this.#kinds));
      return;
    }
    const entry = ruled.entries.get(key);
    if (entry === undefined) {
      const isNew = isWatched && this.#watch.isSynced(kind) && ruled.isKnown;
      ruled.entries.set(key, { workload, standing: undefined, judgedBy: undefined, isNew });
      this.#noteInjected(namespace, key, isInjected(workload.kind, object, this.#kinds));
    } else {
      const order = orderOf(workload, entry.workload);
      if (order < 0) return;
      const isNeeded = ruled.wanted.has(key) || !ruled.isUpToDate(key, entry, ruled.rules);
      if (order === 0 && (isWatched || !isNeeded)) return;
      if (order > 0) this.#keep(entry, workload, key, object);
    }
    ruled.wanted.delete(key);
    ruled.arrived.set(key, object);
    this.#slices.add(key);
  }

  #keep(entry: Entry, workload: Workload, key: string, object: KubernetesObject): void {
    entry.workload = workload;
    this.#noteInjected(workload.metadata.namespace, key, isInjected(workload.kind, object, this.#kinds));
  }

  #noteInjected(namespace: string, key: string, isStored: boolean): void {
    this.#injected.note(namespace, key, isStored);
    // the last of a kind that no policy names any more
    if (!isStored && !this.#targeted.has(partsOfWorkloadKey(key).kind)) this.#lookAtKinds();
  }

  /** Nothing is to be done about it any more. Returns false if nothing was. */
  #unwait(ruled: RuledNamespace, key: string): boolean {
    if (!ruled.isWaiting(key)) return false;
    if (ruled.arrived.delete(key)) this.#slices.remove(key);
    if (ruled.wanted.delete(key)) this.#refetch.forget(key);
    return true;
  }

  /** Called for its turn in the queue. */
  #work(key: string): void {
    const namespace = namespaceOf(key);
    const ruled = this.#namespaces.get(namespace);
    const object = ruled?.arrived.get(key);
    if (ruled === undefined || object === undefined) return;
    ruled.arrived.delete(key);
    this.#judge(key, ruled, object);
    this.#settled(namespace);
  }

  #judge(key: string, ruled: RuledNamespace, object: KubernetesObject): void {
    const entry = ruled.entries.get(key);
    if (entry === undefined) return;
    const { workload, standing: before, judgedBy } = entry;
    const { standing: found, uncoveredBy } = this.#standing(key, workload, object);
    const standing = ruled.judged(entry, found);
    this.#count(before, standing);
    const isNew = entry.isNew && judgedBy === undefined;
    this.#options.onJudged?.({ key, workload, standing, before, isNew });
    this.#tellPolicies(key, before, standing);
    this.#noteUncovered(key, uncoveredBy);
  }

  #standing(key: string, workload: Workload, object: KubernetesObject): Found {
    const { judge, uncoveredBy, rules, logger } = this.#options;
    try {
      const snapshot = rules.snapshot();
      const standing = judge(key, workload, object, snapshot);
      return standing === undefined ? { uncoveredBy: uncoveredBy?.(workload, object, snapshot) } : { standing };
    } catch (error) {
      // A bug, but no reason to skip all other workloads. Its message may quote the manifest.
      logger.error({ workload: key, error: error instanceof Error ? error.name : typeof error }, 'cannot be judged');
      return {};
    }
  }

  #noteUncovered(key: string, policy: string | undefined): void {
    const namespace = namespaceOf(key);
    for (const name of this.#uncovered.note(key, policy)) this.#options.onChanged(keyOf({ namespace, name }));
  }

  /** The API server has it no more. */
  #gone(namespace: string, key: string): void {
    this.#noteInjected(namespace, key, false);
    const ruled = this.#namespaces.get(namespace);
    if (ruled?.entries.has(key) === true && this.#drop(key, ruled)) this.#settled(namespace);
  }

  /** Returns whether something was to be done about it. */
  #drop(key: string, ruled: RuledNamespace): boolean {
    const entry = ruled.entries.get(key);
    const hasWaited = this.#unwait(ruled, key);
    ruled.drop(key);
    this.#count(entry?.standing, undefined);
    this.#tellPolicies(key, entry?.standing, undefined);
    this.#noteUncovered(key, undefined);
    this.#options.onGone?.(key);
    return hasWaited;
  }

  /** Counts what was in one state and is in another now. */
  #count(before: Standing | undefined, after: Standing | undefined): void {
    this.#newcomers += newcomersIn(after) - newcomersIn(before);
    if (before !== undefined) {
      const left = (this.#counts.get(before.state) ?? 0) - 1;
      if (left > 0) this.#counts.set(before.state, left);
      else this.#counts.delete(before.state);
    }
    if (after !== undefined) this.#counts.set(after.state, (this.#counts.get(after.state) ?? 0) + 1);
  }

  /** Also for the policies that yield: they report the conflict too. */
  #tellPolicies(key: string, before: Standing | undefined, after: Standing | undefined): void {
    const names = [before, after].flatMap((standing) => (standing ? [standing.policy.name, ...standing.yielding] : []));
    const namespace = namespaceOf(key);
    for (const name of new Set(names)) this.#options.onChanged(keyOf({ namespace, name }));
  }

  #settled(namespace: string): void {
    if (this.settled(namespace)) this.#options.onSettled(namespace);
  }

  #entry(key: string): Entry | undefined {
    return this.#namespaces.get(namespaceOf(key))?.entries.get(key);
  }
}

function namespaceOf(key: string): string {
  return partsOfWorkloadKey(key).namespace;
}

/**
 * Returns a negative number if `a` is older, 0 if it is the same state, a positive number if it is newer: the response
 * to a write may come before the watch events for it and for earlier states.
 */
export function orderOf({ metadata: a }: Workload, { metadata: b }: Workload): number {
  if (a.uid !== b.uid) return 1;
  // a version that cannot be compared counts as newer
  return compareVersions(a.resourceVersion, b.resourceVersion) ?? 1;
}

/** 1 for a newcomer, else 0. */
function newcomersIn(standing: Standing | undefined): number {
  return standing !== undefined && isNewcomer(standing) ? 1 : 0;
}
