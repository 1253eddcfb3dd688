import type { Registry as Register } from 'prom-client';

import type { Clock } from '../../kube/clock.ts';
import type { InformerObserver } from '../../kube/informer.ts';
import type { Leadership } from '../../kube/leader-election.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { keyOf, partsOfKey } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { Listeners } from '../../kube/listeners.ts';
import { ownTurn } from '../../kube/slices.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { Logger } from '../../kube/log.ts';
import type { Tracer } from '../../kube/tracer.ts';
import type { Replicas } from '../replicas/replicas.ts';
import { newestDenials } from '../replicas/state.ts';
import type { PublishedDenial } from '../replicas/state.ts';
import { withoutLacking } from '../../core/policy/crd-lack.ts';
import type { Lack } from '../../core/policy/crd-lack.ts';
import { governorsOf, isUsable } from '../../core/policy/governing.ts';
import type { Governor, Rule } from '../../core/policy/rule.ts';
import type { ImageNeeds, KnownImages } from '../../core/injection/images.ts';
import { isKnown } from '../../core/injection/images.ts';
import { annotation } from '../../core/injection/annotations.ts';
import type { KnownSources, SourceNeeds, SourceRef } from '../../core/injection/sources.ts';
import { AppliedTimes } from './applied-times.ts';
import { Denials } from './denials.ts';
import { Inventory } from './inventory.ts';
import type { InventoryOptions, Judged, Judgement } from './inventory.ts';
import { createJudge } from './judge.ts';
import type { KindProblem } from './kind-watch.ts';
import { Mender } from './mender.ts';
import { PodCounts } from './pod-counts.ts';
import { podOutcomeOf } from './pod-sums.ts';
import { createWorkloadMetrics } from './metrics.ts';
import type { WorkloadMetrics } from './metrics.ts';
import type { Action, Plan, Tracked } from '../../core/workload/plan.ts';
import { plan as planOf } from '../../core/workload/plan.ts';
import { RequestOutcomes } from './request-outcomes.ts';
import type { ReviewedWorkload } from './reviewed.ts';
import { RolloutSlots } from './rollout-slots.ts';
import { WorkloadAges } from './ages.ts';
import type { RestartWishes } from '../../core/workload/restarts.ts';
import type { WorkloadSummary } from '../../core/workload/summary.ts';
import { summaryOf } from '../../core/workload/summary.ts';
import { uncoveredBy } from '../../core/workload/uncovered.ts';
import { WorkloadUses } from './uses.ts';
import { Warming } from './warming.ts';
import type { Answerer } from './warming.ts';
import { WorkloadEvents } from './workload-events.ts';
import type { EventSink } from './workload-events.ts';
import type { Workload } from '../../core/workload/workload.ts';
import { workloadOf } from '../../core/workload/workload.ts';

/** Knows ConfigMaps and Secrets, and when they change. */
export interface SourceLookUp extends Answerer<SourceNeeds, KnownSources> {
  /** Sets all objects in use in the namespace. */
  watch(namespace: string, refs: readonly SourceRef[]): void;
  /** Calls `listener` with each object in use that has changed. */
  onChange(listener: (namespace: string, ref: SourceRef) => void): void;
}

export interface WorkloadControllerOptions {
  readonly client: Pick<ObjectClient, 'get' | 'list' | 'watch' | 'patch' | 'apply'>;
  readonly rules: InventoryOptions['rules'];
  /** Those that the operator knows (default: the built-in ones). */
  readonly kinds?: Kinds;
  /** As in InventoryOptions. */
  readonly isSent?: (kind: WorkloadKind) => boolean;
  readonly webhook: {
    /** Whether API servers now send the workloads of this namespace to the webhook. */
    programmed(namespace: string): boolean;
    /** Whether they never will. */
    excludes(namespace: string): boolean;
  };
  /** Only the leader asks for admissions and records events. */
  readonly leader: Leadership;
  readonly events: EventSink;
  /** What this replica denied and counted is told to the leader, who reports what all of them tell. */
  readonly replicas: Pick<Replicas, 'denied' | 'podReviewed' | 'all' | 'onChange'>;
  /** Returns what the CRD in the cluster lacks of the operator's (default: nothing). */
  readonly crdLack?: () => Lack;
  readonly images?: Answerer<ImageNeeds, KnownImages>;
  readonly sources?: SourceLookUp;
  readonly rotation?: RestartWishes;
  /** How many workloads of the whole cluster may be rolled, restarted or adopted at once. */
  readonly maxRollouts: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Where failures to request an admission are logged (default: a log of its own). */
  readonly outages?: OutageLog | undefined;
  /** For metrics. */
  readonly register: Register;
  readonly observer?: InformerObserver;
  readonly turn?: () => Promise<unknown>;
  readonly tracer?: Tracer;
}

interface Looked {
  readonly summary: WorkloadSummary;
  readonly text: string;
}

// A rollout causes many events of one workload, and a policy has many workloads: they are handled together.
const GATHER_MS = 100;
// How soon to look again whether all policies are counted, and nothing rolls beyond the bound of the cluster.
const COUNT_MS = 1_000;

/**
 * Joins what is known about workloads with what is done about them: whenever something about the workloads of a policy
 * changes, it makes the plan, passes it to the mender, and keeps the summary for the status.
 */
export class WorkloadController {
  readonly #options: WorkloadControllerOptions;
  readonly #inventory: Inventory;
  readonly #mender: Mender;
  readonly #denials: Denials;
  readonly #pods: PodCounts;
  readonly #events: WorkloadEvents;
  readonly #outcomes = new RequestOutcomes();
  readonly #applied: AppliedTimes;
  readonly #ages: WorkloadAges;
  readonly #uses: WorkloadUses;
  readonly #slots: RolloutSlots;
  /** Whether the workloads of all policies have been counted at least once. */
  #isCounted = false;
  #countedAt = -Infinity;
  readonly #images: Warming<ImageNeeds, KnownImages> | undefined;
  readonly #sources: Warming<SourceNeeds, KnownSources> | undefined;
  readonly #queue: WorkQueue;
  /** By namespace: policies that have to wait until all of it is judged. */
  readonly #waiting = new Map<string, Set<string>>();
  readonly #looked = new Map<string, Looked>();
  /** Its keys by namespace: a change of one namespace must not cost a look through thousands. */
  readonly #lookedIn = new Map<string, Set<string>>();
  readonly #listeners = new Listeners<[policyKey: string]>();
  readonly #problems = new Listeners();
  readonly #metrics: WorkloadMetrics;

  constructor(options: WorkloadControllerOptions) {
    const { client, rules, clock, random, logger, register, leader, webhook } = options;
    this.#options = options;
    this.#applied = new AppliedTimes(clock);
    this.#ages = new WorkloadAges(clock);
    this.#uses = new WorkloadUses(clock);
    this.#slots = new RolloutSlots(options.maxRollouts);
    this.#events = new WorkloadEvents({ events: options.events, isLeader: () => leader.isLeader });
    const { images, sources } = options;
    this.#images = images && this.#warming(images, hasAllImages);
    this.#sources =
      sources &&
      this.#warming(sources, hasAllSources, (namespace, needs) =>
        sources.watch(
          namespace,
          needs.flatMap(({ objects }) => objects),
        ),
      );
    this.#queue = new WorkQueue({ process: (key) => this.#look(key), clock, random, logger, concurrency: 1 });
    this.#inventory = new Inventory({
      ...options,
      rules,
      excludes: (namespace) => webhook.excludes(namespace),
      judge: createJudge({ images: this.#images, sources: this.#sources, kinds: options.kinds }),
      uncoveredBy,
      onJudged: (judgement) => this.#judged(judgement),
      onGone: (key) => this.#gone(key),
      onChanged: (policyKey) => this.#queue.addAfter(policyKey, GATHER_MS),
      onSettled: (namespace) => this.#settled(namespace),
      onProblem: () => this.#problems.notify(),
    });
    this.#mender = new Mender({
      client,
      clock,
      random,
      logger,
      outages: options.outages,
      mayAct: () => leader.isLeader,
      onDone: (action, object) => this.#done(action, object),
      onResult: (kind, result) => this.#metrics.requested(kind, result),
      ...(options.tracer && { tracer: options.tracer }),
    });
    this.#denials = new Denials({
      client,
      isLeader: () => leader.isLeader,
      denied: () => newestDenials(options.replicas.all()),
      onWritten: (denial) => this.#denied(denial),
      clock,
      random,
      logger,
    });
    this.#pods = new PodCounts({
      client,
      isLeader: () => leader.isLeader,
      states: () => options.replicas.all(),
      uidOf: (policyKey) => this.#governor(policyKey)?.policy.uid,
      isKnownField: () => 'pods' in withoutLacking({ pods: {} }, options.crdLack?.() ?? []),
      clock,
      random,
      logger,
    });
    options.replicas.onChange(() => {
      this.#denials.look();
      this.#pods.look();
    });
    this.#metrics = createWorkloadMetrics(register, {
      counts: () => this.#inventory.counts(),
      newcomers: () => this.#inventory.newcomers,
      uncovered: () => this.#inventory.uncovered.counts(),
      rolling: () => this.#slots.rolling,
      waiting: () => this.#slots.waiting,
      unanswered: () => (this.#images?.open ?? 0) + (this.#sources?.open ?? 0),
    });
    leader.onChange((leading) => this.#leads(leading));
    // also policies that are gone
    rules.onChange((namespace) => this.#lookAtThose(this.#lookedIn.get(namespace) ?? []));
    options.rotation?.onChange((policyKey) => this.#queue.addAfter(policyKey, GATHER_MS));
    sources?.onChange((namespace, ref) =>
      this.#sources?.changed(namespace, ({ objects }) => objects.some((one) => isSameRef(one, ref))),
    );
  }

  /** What is known of injected workloads, also in namespaces without policies. */
  get injected(): Pick<Inventory, 'holdsInjected' | 'injectedKinds' | 'lastSeen'> {
    return this.#inventory;
  }

  /** Call it when the rules of all policies are in force; nothing waits for it. Does nothing after stop(). */
  start(): void {
    this.#inventory.start();
  }

  async stop(): Promise<void> {
    this.#images?.stop();
    this.#sources?.stop();
    const reporters = [this.#denials.stop(), this.#pods.stop()];
    await Promise.all([this.#inventory.stop(), this.#mender.stop(), ...reporters, this.#queue.stop()]);
  }

  /** Returns what the status of this policy (`namespace/name`) says about its workloads; undefined: not known yet. */
  summaryOf(policyKey: string): WorkloadSummary | undefined {
    return this.#looked.get(policyKey)?.summary;
  }

  /** Returns why nothing is known of the workloads of a kind that policies name; undefined: something is. */
  problemOf(kind: WorkloadKind): KindProblem | undefined {
    return this.#inventory.problemOf(kind);
  }

  /** Calls `listener` whenever problemOf() returns something else. */
  onProblem(listener: () => void): void {
    this.#problems.add(listener);
  }

  /** Calls `listener` with each policy (`namespace/name`) for which summaryOf() now returns something else. */
  onSummary(listener: (policyKey: string) => void): void {
    this.#listeners.add(listener);
  }

  /** Call it when something that the plans of these namespaces, or all, depend on has changed: what is programmed. */
  lookAtAll(namespaces?: ReadonlySet<string>): void {
    if (namespaces === undefined) this.#lookAtThose(this.#looked.keys());
    else for (const namespace of namespaces) this.#lookAtThose(this.#lookedIn.get(namespace) ?? []);
  }

  /** Notes an admission that this replica decided. */
  reviewed(reviewed: ReviewedWorkload): void {
    const { namespace, kind, name, policy, denial } = reviewed;
    const podOutcome = podOutcomeOf(reviewed);
    if (policy === undefined || (denial === undefined && podOutcome === undefined)) return;
    const policyKey = keyOf({ namespace, name: policy.name });
    const governor = this.#governor(policyKey);
    if (governor === undefined) return;
    if (podOutcome !== undefined) this.#options.replicas.podReviewed(policyKey, governor.policy.uid, podOutcome);
    if (denial !== undefined) this.#options.replicas.denied(policyKey, { kind, name, ...denial });
  }

  /** The leader has reported a denial of some replica. */
  #denied(denial: PublishedDenial): void {
    const governor = this.#governor(denial.policy);
    if (governor !== undefined) this.#events.denied(governor, denial, denial.message);
  }

  #lookAtThose(policyKeys: Iterable<string>): void {
    for (const policyKey of policyKeys) this.#queue.addAfter(policyKey, GATHER_MS);
  }

  /** The new leader now records what was found before the election, because it is the one that acts on it. */
  #leads(isLeader: boolean): void {
    if (isLeader) for (const { workload, standing } of this.#inventory.list()) this.#events.stands(workload, standing);
    this.#denials.look();
    this.#pods.look();
    this.lookAtAll();
  }

  /** Updates plan and summary of one policy. */
  async #look(policyKey: string): Promise<void> {
    // waiting reviews are answered between two policies
    await (this.#options.turn ?? ownTurn)();
    const { namespace } = partsOfKey(policyKey);
    const governor = this.#governor(policyKey);
    if (governor === undefined || this.#options.webhook.excludes(namespace)) this.#forget(policyKey);
    else if (this.#inventory.settled(namespace)) {
      if (isUsable(governor)) this.#lookAt(policyKey, governor);
      else this.#lookOn(policyKey, governor);
    } else this.#waiting.set(namespace, (this.#waiting.get(namespace) ?? new Set()).add(policyKey));
  }

  /** Called when the last workload of the namespace has been judged. */
  #settled(namespace: string): void {
    for (const policyKey of this.#waiting.get(namespace) ?? []) this.#queue.addAfter(policyKey, GATHER_MS);
    this.#waiting.delete(namespace);
  }

  #lookAt(policyKey: string, rule: Rule): void {
    const { webhook, leader, rotation, clock } = this.#options;
    const { namespace, name } = rule.policy;
    const judged = this.#inventory.ofNamespace(namespace);
    const tracked = judged.map((one) => this.#tracked(one));
    const rotating = rotation && this.#uses.of(rule, judged);
    rotation?.want(policyKey, rule, rotating?.uses ?? []);
    const own = tracked.filter(({ standing }) => standing.policy.name === name);
    const mayAct = leader.isLeader && webhook.programmed(namespace);
    const slots = mayAct && this.#allCounted() ? this.#slots.slotsFor(policyKey) : 0;
    const plan = planOf(rule, own, rotation?.wishesOf(policyKey) ?? [], clock.now(), slots);
    if (mayAct) this.#carryOut(policyKey, plan);
    else this.#mender.want(policyKey, []);
    const lastAppliedTime = this.#applied.newest(policyKey, own);
    const uncovered = this.#inventory.uncovered.of(namespace);
    const summary = { ...summaryOf(rule, tracked, plan, uncovered), ...(lastAppliedTime && { lastAppliedTime }) };
    this.#keep(policyKey, summary);
    const isWaiting = mayAct && plan.isWaiting;
    this.#wake(this.#slots.note(policyKey, plan.rolling.length - plan.stuck, isWaiting && this.#isCounted));
    if (isWaiting && !this.#isCounted) this.#queue.addAfter(policyKey, COUNT_MS);
    const againInMs = Math.min(plan.againInMs ?? Infinity, rotating?.againInMs ?? Infinity);
    if (againInMs !== Infinity) this.#queue.addAfter(policyKey, Math.max(againInMs, GATHER_MS));
  }

  /** Nothing is done about the workloads of a policy that cannot be used, and they are counted. */
  #lookOn(policyKey: string, governor: Governor): void {
    const { namespace } = governor.policy;
    const tracked = this.#inventory.ofNamespace(namespace).map((one) => this.#tracked(one));
    this.#mender.want(policyKey, []);
    this.#options.rotation?.want(policyKey, undefined, []);
    this.#wake(this.#slots.forget(policyKey));
    this.#keep(policyKey, summaryOf(governor, tracked, { stalls: [] }, this.#inventory.uncovered.of(namespace)));
  }

  /** Adds what this process knows: a request whose annotation was removed again still counts. */
  #tracked({ key, workload, standing }: Judged): Tracked {
    const outcome = this.#outcomes.of(key);
    const asked = workload.annotations[annotation.requested] ?? outcome?.request;
    const known = asked === undefined ? workload : withAnnotation(workload, annotation.requested, asked);
    return {
      key,
      workload: known,
      standing,
      ages: this.#ages.of(key, known),
      pending: this.#mender.underWay(key) !== undefined,
      seenInjected: outcome?.seenInjected === true && outcome.request === asked,
      fruitless: outcome?.fruitless ?? 0,
    };
  }

  #carryOut(policyKey: string, plan: Plan): void {
    const wanted = plan.actions.flatMap((action) => {
      const workload = this.#inventory.get(action.key)?.workload;
      return workload === undefined ? [] : [{ action, workload }];
    });
    this.#mender.want(policyKey, wanted);
    for (const stall of plan.stalls) this.#events.stalled(this.#inventory.get(stall.key)?.workload, stall);
  }

  #wake(policyKeys: readonly string[]): void {
    for (const policyKey of policyKeys) this.#queue.addAfter(policyKey, GATHER_MS);
  }

  /**
   * Whether it is known how many workloads of the whole cluster are rolling: another process may have begun what this
   * one has not looked at yet.
   */
  #allCounted(): boolean {
    const { rules, webhook, clock } = this.#options;
    if (this.#isCounted || clock.elapsed() - this.#countedAt < COUNT_MS) return this.#isCounted;
    this.#countedAt = clock.elapsed();
    const namespaces = [...rules.namespaces().keys()].filter((namespace) => !webhook.excludes(namespace));
    this.#isCounted = namespaces.every((namespace) =>
      governorsOf(rules, namespace).every(({ policy }) => this.#looked.has(keyOf(policy))),
    );
    return this.#isCounted;
  }

  #keep(policyKey: string, summary: WorkloadSummary): void {
    const text = JSON.stringify(summary);
    const before = this.#looked.get(policyKey);
    this.#looked.set(policyKey, { summary, text });
    const { namespace } = partsOfKey(policyKey);
    this.#lookedIn.set(namespace, (this.#lookedIn.get(namespace) ?? new Set()).add(policyKey));
    if (before?.text !== text) this.#listeners.notify(policyKey);
  }

  #judged(judgement: Judgement): void {
    this.#outcomes.judged(judgement);
    this.#applied.judged(judgement);
    this.#events.judged(judgement);
  }

  #done(action: Action, object: KubernetesObject): void {
    const workload = workloadOf(object, this.#options.kinds);
    this.#inventory.saw(object);
    const standing = this.#inventory.get(action.key)?.standing;
    const requested = action.annotations[annotation.requested];
    if (typeof requested === 'string') this.#outcomes.answered(action.key, requested, standing?.state);
    this.#events.acted(action, workload, standing);
  }

  #gone(key: string): void {
    this.#images?.use(key, '', undefined);
    this.#sources?.use(key, '', undefined);
    this.#mender.forget(key);
    this.#outcomes.forget(key);
    this.#ages.forget(key);
    this.#uses.forget(key);
  }

  #forget(policyKey: string): void {
    this.#mender.want(policyKey, []);
    this.#options.rotation?.want(policyKey, undefined, []);
    this.#denials.forget(policyKey);
    this.#pods.forget(policyKey);
    this.#applied.forget(policyKey);
    const { namespace } = partsOfKey(policyKey);
    const others = this.#lookedIn.get(namespace);
    if (others?.delete(policyKey) === true && others.size === 0) this.#lookedIn.delete(namespace);
    this.#wake(this.#slots.forget(policyKey));
    if (this.#looked.delete(policyKey)) this.#listeners.notify(policyKey);
  }

  #governor(policyKey: string): Governor | undefined {
    const { namespace, name } = partsOfKey(policyKey);
    const governors = governorsOf(this.#options.rules, namespace);
    return governors.find(({ policy }) => policy.name === name);
  }

  #warming<Needs, Known>(
    answerer: Answerer<Needs, Known>,
    isComplete: (needs: Needs, known: Known) => boolean,
    onUsed: (namespace: string, needs: readonly Needs[]) => void = () => undefined,
  ): Warming<Needs, Known> {
    const { clock, random } = this.#options;
    const onAnswered = (keys: readonly string[]): void => keys.forEach((key) => this.#inventory.judgeAgain(key));
    return new Warming({ answerer, isComplete, clock, random, onAnswered, onUsed });
  }
}

function withAnnotation(workload: Workload, name: string, value: string): Workload {
  return { ...workload, annotations: { ...workload.annotations, [name]: value } };
}

function hasAllImages({ images }: ImageNeeds, known: KnownImages): boolean {
  return images.every((image) => isKnown(known(image)));
}

/** That an object is missing or cannot be read is an answer too: the reader retries, and reports changes. */
function hasAllSources({ objects }: SourceNeeds, known: KnownSources): boolean {
  return objects.every((ref) => known(ref) !== undefined);
}

function isSameRef(a: SourceRef, b: SourceRef): boolean {
  return a.kind === b.kind && a.name === b.name;
}
