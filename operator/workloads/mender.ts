import type { Clock } from '../../kube/clock.ts';
import { backoffDelay } from '../../kube/backoff.ts';
import type { BackoffLimits } from '../../kube/backoff.ts';
import { failureOf, isNotFound, isRefusal, retryAfterOf } from '../../kube/errors.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import { OutageLog } from '../../kube/outage-log.ts';
import { TokenBucket } from '../../kube/token-bucket.ts';
import { NO_TRACER } from '../../kube/tracer.ts';
import type { Tracer } from '../../kube/tracer.ts';
import { workloadAttributes } from '../../core/spans.ts';
import type { Action } from '../../core/workload/plan.ts';
import { REQUEST_FIELD_MANAGER } from '../../core/workload/plan.ts';
import type { Workload } from '../../core/workload/workload.ts';

export interface MenderOptions {
  readonly client: Pick<ObjectClient, 'patch'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Where failures are logged (default: a log of its own). */
  readonly outages?: OutageLog | undefined;
  /** Checked before each write: only one of several replicas may write, and not forever. */
  readonly mayAct: () => boolean;
  /** Called with the workload as stored after the action, which admission has seen. */
  readonly onDone: (action: Action, object: KubernetesObject) => void;
  /** Called with each outcome, for metrics. */
  readonly onResult?: (kind: Action['kind'], result: RequestResult) => void;
  /** Default: none. */
  readonly tracer?: Tracer;
}

export type RequestResult = 'Done' | 'Gone' | 'Refused' | 'Failed';

/** An action for a workload, and the workload as it was when that was decided. */
export interface Wanted {
  readonly action: Action;
  readonly workload: Workload;
}

// Each is a write to the API server, with an admission, and may start a rollout. A burst repairs at once what an outage
// of the webhook left behind; after that the rate is faster than people and slower than a storm.
const BURST = 10;
const EVERY_MS = 200;
// Concurrent writes: one that waits for a slow admission must not hold up all others.
const CONCURRENCY = 4;
const FAILED: BackoffLimits = { initialMs: 1_000, maxMs: 60_000 };
// Refused by an admission or RBAC, and will be again until somebody changes something.
const REFUSED: BackoffLimits = { initialMs: 10_000, maxMs: 300_000 };

// What it does, in the log.
const REQUESTING = 'requesting admissions';

/** Carries out the plans of policies on their workloads, at a bounded rate. It decides nothing. */
export class Mender {
  readonly #options: MenderOptions;
  /** By policy; the policies take turns. */
  readonly #wanted = new Map<string, readonly Wanted[]>();
  readonly #underWay = new Map<string, { readonly wanted: Wanted; readonly done: Promise<void> }>();
  readonly #failed = new Map<string, { readonly failures: number; readonly notBefore: number }>();
  readonly #bucket: TokenBucket;
  readonly #outages: OutageLog;
  #alarm: AbortController | undefined;
  #isStopped = false;

  constructor(options: MenderOptions) {
    this.#options = options;
    this.#outages = options.outages ?? new OutageLog(options);
    this.#bucket = new TokenBucket({ clock: options.clock, burst: BURST, everyMs: EVERY_MS });
  }

  /** Replaces what is wanted for the workloads of a policy, except for what is in progress. */
  want(policyKey: string, wanted: readonly Wanted[]): void {
    if (wanted.length === 0) this.#wanted.delete(policyKey);
    else this.#wanted.set(policyKey, wanted);
    this.#pump();
  }

  /** Returns what is being written to a workload now. */
  underWay(key: string): Action | undefined {
    return this.#underWay.get(key)?.wanted.action;
  }

  /** Forgets a workload that is gone. */
  forget(key: string): void {
    this.#failed.delete(key);
    this.#outages.forget(REQUESTING, key);
  }

  /** Starts nothing more; resolves when writes in progress have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wanted.clear();
    this.#alarm?.abort();
    await Promise.all([...this.#underWay.values()].map(({ done }) => done));
  }

  #pump(): void {
    this.#alarm?.abort();
    while (!this.#isStopped && this.#underWay.size < CONCURRENCY && this.#options.mayAct()) {
      const next = this.#next();
      if (next === undefined) return;
      const waitMs = Math.max(next.inMs, this.#bucket.waitMs);
      if (waitMs > 0) {
        this.#wakeIn(waitMs);
        return;
      }
      this.#bucket.take();
      this.#begin(next.policyKey, next.wanted);
    }
  }

  /** Returns the action that is due first; of those that are due, that of the policy that has waited longest. */
  #next(): { readonly policyKey: string; readonly wanted: Wanted; readonly inMs: number } | undefined {
    const now = this.#options.clock.elapsed();
    let first: { policyKey: string; wanted: Wanted; inMs: number } | undefined;
    for (const [policyKey, list] of this.#wanted) {
      for (const wanted of list) {
        if (this.#underWay.has(wanted.action.key)) continue;
        const inMs = Math.max(0, (this.#failed.get(wanted.action.key)?.notBefore ?? 0) - now);
        if (inMs === 0) return { policyKey, wanted, inMs };
        if (first === undefined || inMs < first.inMs) first = { policyKey, wanted, inMs };
      }
    }
    return first;
  }

  #begin(policyKey: string, wanted: Wanted): void {
    const rest = (this.#wanted.get(policyKey) ?? []).filter((other) => other !== wanted);
    this.#wanted.delete(policyKey);
    if (rest.length > 0) this.#wanted.set(policyKey, rest);
    const { key } = wanted.action;
    const done = this.#act(wanted).finally(() => {
      this.#underWay.delete(key);
      this.#pump();
    });
    this.#underWay.set(key, { wanted, done });
  }

  async #act({ action, workload }: Wanted): Promise<void> {
    const { client, onDone, onResult, logger, tracer = NO_TRACER } = this.#options;
    const { namespace, name, uid } = workload.metadata;
    const span = tracer.start('request admission');
    span.set({ ...workloadAttributes(workload.kind, namespace, name), 'vaultinjection.action': action.kind });
    // With the uid: a new workload of that name is judged separately. Without a version: others may write at the same
    // time.
    const changes = { metadata: { uid, annotations: action.annotations } };
    try {
      const resource = { ...workload.traits.resource, namespace };
      const { traceparent } = span;
      const object = await client.patch(resource, name, changes, { fieldManager: REQUEST_FIELD_MANAGER, traceparent });
      span.set({ 'vaultinjection.result': 'Done' });
      this.#failed.delete(action.key);
      this.#outages.worked(REQUESTING, action.key);
      logger.info({ workload: action.key, action: action.kind }, 'requested an admission');
      onResult?.(action.kind, 'Done');
      onDone(action, object);
    } catch (error) {
      const result = this.#noteFailure(action, error);
      span.set({ 'vaultinjection.result': result });
      if (result !== 'Gone') span.fail(failureOf(error));
      onResult?.(action.kind, result);
    } finally {
      span.end();
    }
  }

  #noteFailure(action: Action, error: unknown): RequestResult {
    const { clock, random } = this.#options;
    if (isNotFound(error)) {
      this.forget(action.key);
      return 'Gone';
    }
    const isRefused = isRefusal(error);
    const failures = (this.#failed.get(action.key)?.failures ?? 0) + 1;
    const delayMs = Math.max(backoffDelay(failures, isRefused ? REFUSED : FAILED, random), retryAfterOf(error));
    this.#failed.set(action.key, { failures, notBefore: clock.elapsed() + delayMs });
    this.#outages.failed(REQUESTING, action.key, error, { workload: action.key, action: action.kind, delayMs });
    return isRefused ? 'Refused' : 'Failed';
  }

  #wakeIn(ms: number): void {
    const alarm = new AbortController();
    this.#alarm = alarm;
    void this.#options.clock.sleep(ms, alarm.signal).then(() => {
      if (!alarm.signal.aborted) this.#pump();
    });
  }
}
