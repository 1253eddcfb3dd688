import type { Clock } from '../../kube/clock.ts';
import type { InformerObserver } from '../../kube/informer.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import type { RuleCache } from '../policies/rule-cache.ts';
import { keyOf } from '../../core/object.ts';
import type { RuleSnapshot } from '../../core/policy/rule.ts';
import { compareVersions } from '../../core/resource-version.ts';
import { NamespaceWatch } from './namespace-watch.ts';
import { Slices } from './slices.ts';
import type { Standing } from '../../core/workload/standing.ts';
import type { Workload } from '../../core/workload/workload.ts';
import { partsOfWorkloadKey, workloadKey } from '../../core/workload/workload.ts';

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
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly rules: Pick<RuleCache, 'snapshot' | 'namespaces' | 'onChange'>;
  /** Whether nothing in this namespace is ever injected. */
  readonly excludes: (namespace: string) => boolean;
  /** The pure core, with what is known about images and other objects. */
  readonly judge: (key: string, workload: Workload, rules: RuleSnapshot) => Standing | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly observer?: InformerObserver;
  readonly relistMs?: number;
  readonly turn?: () => Promise<unknown>;
  /** Called with every judgement. Must only note it. */
  readonly onJudged?: (judgement: Judgement) => void;
  /** Called when a workload is gone, or its namespace is not watched any more. */
  readonly onGone?: (key: string) => void;
  /** Called when something about the workloads of this policy (`namespace/name`) has changed. */
  readonly onChanged: (policyKey: string) => void;
  /** Called when all of this namespace is known and judged; again after each time that some of it was not. */
  readonly onSettled: (namespace: string) => void;
}

interface Entry {
  workload: Workload;
  standing: Standing | undefined;
  isJudged: boolean;
  readonly isNew: boolean;
}

interface Watched {
  readonly watch: NamespaceWatch;
  readonly entries: Map<string, Entry>;
  /** How many of them are waiting to be judged. */
  waiting: number;
}

/**
 * Every workload of the namespaces that have rules, and its standing. It is derived from the state of the API server
 * alone, so each process comes to the same result. Each replica keeps one, not just the leader: it warms the replica's
 * own cache of images, and a new leader knows everything at once.
 */
export class Inventory {
  readonly #options: InventoryOptions;
  readonly #namespaces = new Map<string, Watched>();
  readonly #slices: Slices;
  readonly #closing = new Set<Promise<void>>();
  #isGoing = false;

  constructor(options: InventoryOptions) {
    const { clock, turn } = options;
    this.#options = options;
    this.#slices = new Slices({ work: (key) => this.#work(key), clock, ...(turn === undefined ? {} : { turn }) });
    options.rules.onChange((namespace) => this.#rulesChanged(namespace));
  }

  /** Starts with the namespaces that have rules now. */
  start(): void {
    this.#isGoing = true;
    for (const { name } of this.#options.rules.namespaces()) this.#rulesChanged(name);
  }

  async stop(): Promise<void> {
    this.#isGoing = false;
    for (const namespace of [...this.#namespaces.keys()]) this.#leave(namespace);
    await Promise.all(this.#closing);
  }

  /** Whether all of the namespace is known and judged by the current rules. */
  settled(namespace: string): boolean {
    const watched = this.#namespaces.get(namespace);
    return watched !== undefined && watched.watch.synced && watched.waiting === 0;
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
    const counts: Partial<Record<Standing['state'], number>> = {};
    for (const { entries } of this.#namespaces.values()) {
      for (const { standing } of entries.values()) {
        if (standing !== undefined) counts[standing.state] = (counts[standing.state] ?? 0) + 1;
      }
    }
    return counts;
  }

  /** Judges a workload again, because what is known about its images or other objects has changed. */
  judgeAgain(key: string): void {
    if (this.#entry(key) !== undefined) this.#queue(key);
  }

  /** Takes the API server's response to a write, which may come before or after the watch event. Judges it at once. */
  saw(workload: Workload): void {
    const key = workloadKey(workload);
    const entry = this.#entry(key);
    if (entry === undefined) return;
    const isNews = isNewer(workload, entry.workload);
    if (isNews) entry.workload = workload;
    if (!this.#unqueue(key) && !isNews) return;
    this.#judge(key);
    this.#settled(namespaceOf(key));
  }

  #rulesChanged(namespace: string): void {
    if (!this.#isGoing) return;
    const { rules, excludes, onChanged } = this.#options;
    const ruled = rules.snapshot().rulesFor(namespace);
    if (ruled.length === 0 || excludes(namespace)) {
      this.#leave(namespace);
    } else {
      const watched = this.#namespaces.get(namespace) ?? this.#join(namespace);
      for (const key of watched.entries.keys()) this.#queue(key);
    }
    for (const { policy } of ruled) onChanged(keyOf(policy));
  }

  #join(namespace: string): Watched {
    const { client, clock, random, logger, observer, relistMs } = this.#options;
    const watch: NamespaceWatch = new NamespaceWatch({
      client,
      namespace,
      clock,
      random,
      logger,
      ...(observer === undefined ? {} : { observer }),
      ...(relistMs === undefined ? {} : { relistMs }),
      onChange: (kind, name, workload) => {
        if (this.#namespaces.get(namespace)?.watch === watch)
          this.#noticed(workloadKey({ kind, metadata: { namespace, name } }), workload);
      },
      onSynced: () => {
        if (this.#namespaces.get(namespace)?.watch === watch) this.#settled(namespace);
      },
    });
    const watched: Watched = { watch, entries: new Map(), waiting: 0 };
    this.#namespaces.set(namespace, watched);
    watch.start();
    return watched;
  }

  #leave(namespace: string): void {
    const watched = this.#namespaces.get(namespace);
    if (watched === undefined) return;
    for (const key of [...watched.entries.keys()]) this.#drop(key);
    this.#namespaces.delete(namespace);
    const closing = watched.watch.stop().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #noticed(key: string, workload: Workload | undefined): void {
    if (workload === undefined) {
      this.#drop(key);
      return;
    }
    const watched = this.#watched(key);
    if (watched === undefined) return;
    const entry = watched.entries.get(key);
    if (entry === undefined) {
      watched.entries.set(key, { workload, standing: undefined, isJudged: false, isNew: watched.watch.synced });
    } else {
      if (!isNewer(workload, entry.workload)) return;
      entry.workload = workload;
    }
    this.#queue(key);
  }

  #queue(key: string): void {
    const watched = this.#watched(key);
    if (watched !== undefined && this.#slices.add(key)) watched.waiting += 1;
  }

  /** Returns false if it was not waiting. */
  #unqueue(key: string): boolean {
    const watched = this.#watched(key);
    if (!this.#slices.remove(key)) return false;
    if (watched !== undefined) watched.waiting -= 1;
    return true;
  }

  /** Called for its turn in the queue. */
  #work(key: string): void {
    const watched = this.#watched(key);
    if (watched === undefined) return;
    watched.waiting -= 1;
    this.#judge(key);
    this.#settled(namespaceOf(key));
  }

  #judge(key: string): void {
    const { rules, onJudged } = this.#options;
    const entry = this.#entry(key);
    if (entry === undefined) return;
    const { workload, standing: before } = entry;
    const standing = this.#standing(key, workload, rules.snapshot());
    const isNew = entry.isNew && !entry.isJudged;
    entry.standing = standing;
    entry.isJudged = true;
    onJudged?.({ key, workload, standing, before, isNew });
    this.#tellPolicies(key, before, standing);
  }

  #standing(key: string, workload: Workload, snapshot: RuleSnapshot): Standing | undefined {
    const { judge, logger } = this.#options;
    try {
      return judge(key, workload, snapshot);
    } catch (error) {
      // A bug, but no reason to skip all other workloads. Its message may quote the manifest.
      logger.error({ workload: key, error: error instanceof Error ? error.name : typeof error }, 'cannot be judged');
      return undefined;
    }
  }

  #drop(key: string): void {
    const entry = this.#entry(key);
    if (entry === undefined) return;
    const hasWaited = this.#unqueue(key);
    this.#watched(key)?.entries.delete(key);
    this.#tellPolicies(key, entry.standing, undefined);
    this.#options.onGone?.(key);
    if (hasWaited) this.#settled(namespaceOf(key));
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

  #watched(key: string): Watched | undefined {
    return this.#namespaces.get(namespaceOf(key));
  }

  #entry(key: string): Entry | undefined {
    return this.#watched(key)?.entries.get(key);
  }
}

function namespaceOf(key: string): string {
  return partsOfWorkloadKey(key).namespace;
}

/** Whether `a` is newer: the response to a write may come before the watch events for it and for earlier states. */
function isNewer({ metadata: a }: Workload, { metadata: b }: Workload): boolean {
  if (a.uid !== b.uid) return true;
  const order = compareVersions(a.resourceVersion, b.resourceVersion);
  // a version that cannot be compared counts as newer
  return order === undefined || order > 0;
}
