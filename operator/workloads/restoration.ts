import { ANNOTATIONS, annotation } from '../../core/injection/annotations.ts';
import type { AnnotationName } from '../../core/injection/annotations.ts';
import { isInjected } from '../../core/injection/injected.ts';
import { KINDS, makerOf, rowOf, watchedKinds } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { REQUEST_FIELD_MANAGER } from '../../core/workload/plan.ts';
import type { Clock } from '../../kube/clock.ts';
import { describeError, isNotFound, isRefusal } from '../../kube/errors.ts';
import { itemsIfServed } from '../../kube/items.ts';
import { ApiError } from '../../kube/object-client.ts';
import type { ObjectClient } from '../../kube/object-client.ts';

export interface RestorationOptions {
  readonly client: Pick<ObjectClient, 'list' | 'patch'>;
  /** Those that the operator knows (default: the built-in ones). */
  readonly kinds?: Kinds;
  readonly clock: Clock;
  /** Workloads in a second. */
  readonly rate: number;
  /** Told of progress and of failures, in lines for people. */
  readonly say: (line: string) => void;
  /** Milliseconds after which no other workload has its turn; left out: all have. */
  readonly withinMs?: number | undefined;
  /** When it aborts, no other workload has its turn. */
  readonly signal?: AbortSignal | undefined;
}

/** A workload that is still injected, as `namespace/name (Deployment)`, and why. */
export interface Left {
  readonly workload: string;
  readonly why: string;
}

interface Injected {
  readonly kind: WorkloadKind;
  readonly object: KubernetesObject;
}

const PAGE = 250;
// Replicas learn by a watch what they are asked to do: soon, but not at once.
const PAUSE_MS = 2_000;
// Rounds over all that are left, after which there were not fewer.
const VAIN_ROUNDS = 4;
// A line for so many of them.
const TELL_EACH = 25;
const MOST_FAILURES_TOLD = 50;
// An API server that restarts is back by then.
const OUTAGE_MS = 60_000;
// What takes less is over before anybody wonders.
const LONG_S = 60;

/** Why a workload is left that was not tried. */
export const NO_TURN = 'it had no turn';

const NOT_RESTORED = 'admission has not restored it: no replica of the operator has answered, or none that is told to';

const AGAIN =
  'it was restored, and is injected again: something writes the injected template back, or a replica is not told to restore';

// What a workload without annotations of the operator is touched with.
const REQUEST = 'Uninstall';

/** A Job keeps its template until it is gone: nothing can be given back. */
function restoredKinds(kinds: Kinds): readonly WorkloadKind[] {
  return watchedKinds(kinds).filter((kind) => rowOf(kind, kinds).templateMayChange);
}

/** What the operator has written on workloads; gone afterwards. */
const OWN: readonly string[] = (Object.keys(ANNOTATIONS) as AnnotationName[])
  .filter(
    (name) =>
      ANNOTATIONS[name].setBy === 'Operator' && (ANNOTATIONS[name].on as readonly string[]).includes('Workload'),
  )
  .map((name) => annotation[name]);

/**
 * Has admission give all injected workloads their templates back: it touches one annotation of each, and admission does
 * the rest, as after the deletion of a policy. It keeps nothing to continue from: what is restored is not injected any
 * more, so it may be ended at any moment, run again, and run twice at once. Continues after failures, and waits a minute
 * for an API server that is away; resolves with what is left when nothing more can be restored, or when it has to end.
 * Rejects with ApiError if workloads cannot be listed.
 */
export async function restoreAll(options: RestorationOptions): Promise<readonly Left[]> {
  const { clock, rate, say, signal, withinMs = Infinity } = options;
  const deadline = clock.elapsed() + withinMs;
  const whyOver = (): string | undefined => {
    if (signal?.aborted === true) return 'stopped by a signal';
    return clock.elapsed() >= deadline ? 'the time that it may take is over' : undefined;
  };
  const progress: Progress = { why: new Map(), restored: new Set(), total: 0, failuresTold: 0, isWaiting: false };
  let left = await listed(options, progress, deadline - clock.elapsed());
  progress.total = left.length;
  const { total } = progress;
  say(
    total === 0
      ? 'no workload is injected'
      : `restoring ${total} workloads, ${rate} in a second${forHowLong(total / rate)}`,
  );
  let fewest = total;
  for (let vain = 0; left.length > 0 && vain < VAIN_ROUNDS && whyOver() === undefined; vain += 1) {
    await restoreRound(left, options, progress, () => whyOver() !== undefined);
    if (whyOver() === undefined) await clock.sleep(Math.min(PAUSE_MS, deadline - clock.elapsed()), signal);
    left = await listed(options, progress, deadline - clock.elapsed());
    if (left.length < fewest) vain = -1;
    fewest = Math.min(fewest, left.length);
  }
  const over = left.length === 0 ? undefined : whyOver();
  if (over !== undefined) say(over);
  const all = allOf(progress);
  if (total > 0) say(`restored ${all - left.length} of ${all}, ${left.length} left`);
  const untried = over === undefined ? NOT_RESTORED : NO_TURN;
  return left.map((one) => ({ workload: nameOf(one), why: progress.why.get(nameOf(one)) ?? untried }));
}

interface Progress {
  /** Why workloads are still injected, by name. */
  readonly why: Map<string, string>;
  /** Those that were restored, which may be injected again. */
  readonly restored: Set<string>;
  total: number;
  failuresTold: number;
  /** It has been told that the API server is away. */
  isWaiting: boolean;
}

/** How many there are, those included that were injected meanwhile. */
function allOf({ total, restored }: Progress): number {
  return Math.max(total, restored.size);
}

function forHowLong(seconds: number): string {
  return seconds <= LONG_S ? '' : `: about ${Math.ceil(seconds / 60)} min`;
}

/** Gives each its turn, until the API server does not answer. */
async function restoreRound(
  left: readonly Injected[],
  { client, kinds, clock, rate, say, signal }: RestorationOptions,
  progress: Progress,
  isOver: () => boolean,
): Promise<void> {
  const { why, restored } = progress;
  for (const one of left) {
    if (isOver()) return;
    const failure = await restoreOne(client, one, kinds);
    const name = nameOf(one);
    if (failure === undefined && !restored.has(name)) {
      restored.add(name);
      if (restored.size % TELL_EACH === 0) say(`restored ${restored.size} of ${allOf(progress)}`);
    }
    const isNew = why.get(name) !== failure?.text;
    why.set(name, failure?.text ?? AGAIN);
    if (failure?.isAway === true) {
      tellWaiting(failure.text, progress, say);
      return;
    }
    progress.isWaiting = false;
    // that replicas have yet to learn of it is worth no line
    if (failure !== undefined && failure.text !== NOT_RESTORED && isNew) tellFailure(name, failure.text, progress, say);
    await clock.sleep(1_000 / rate, signal);
  }
}

function tellFailure(name: string, text: string, progress: Progress, say: (line: string) => void): void {
  progress.failuresTold += 1;
  if (progress.failuresTold <= MOST_FAILURES_TOLD) say(`not restored: ${name}: ${text}`);
  if (progress.failuresTold === MOST_FAILURES_TOLD + 1) say('more failures are not told one by one');
}

function tellWaiting(why: string, progress: Progress, say: (line: string) => void): void {
  if (!progress.isWaiting) say(`waiting for the API server: ${why}`);
  progress.isWaiting = true;
}

/** Resolves with what is injected now; first what has not been tried in vain. Waits for an API server that is away. */
async function listed(
  { client, kinds, clock, say, signal }: RestorationOptions,
  progress: Progress,
  withinMs: number,
): Promise<readonly Injected[]> {
  const deadline = clock.elapsed() + Math.min(OUTAGE_MS, withinMs);
  for (;;) {
    try {
      const found = await injected(client, kinds);
      const isTried = (one: Injected): number => Number(progress.why.has(nameOf(one)));
      return found.toSorted((a, b) => isTried(a) - isTried(b));
    } catch (error) {
      // one that has just come back does not know its roles yet, and refuses everything
      const isFinal = isRefusal(error) && !progress.isWaiting;
      if (isFinal || clock.elapsed() >= deadline || signal?.aborted === true) throw error;
      tellWaiting(describeError(error), progress, say);
    }
    await clock.sleep(PAUSE_MS, signal);
  }
}

async function injected(client: Pick<ObjectClient, 'list'>, kinds: Kinds = KINDS): Promise<readonly Injected[]> {
  const found: Injected[] = [];
  for (const kind of restoredKinds(kinds)) {
    for await (const object of itemsIfServed(client, rowOf(kind, kinds).resource, { limit: PAGE })) {
      // a ReplicaSet has the annotations of its Deployment as well
      if (makerOf(kind, object, kinds) !== undefined) continue;
      // an earlier run may have been ended between its two requests
      const isHalfDone = object.metadata.annotations?.[annotation.requested] === REQUEST;
      if (isHalfDone || isInjected(kind, object, kinds))
        found.push({ kind, object: { ...object, spec: undefined, status: undefined } });
    }
  }
  return found;
}

interface Failure {
  readonly text: string;
  /** The API server has not answered at all. */
  readonly isAway: boolean;
}

/** Resolves with why it is still injected; undefined: it is not. */
async function restoreOne(
  client: Pick<ObjectClient, 'patch'>,
  { kind, object: { metadata } }: Injected,
  kinds: Kinds = KINDS,
): Promise<Failure | undefined> {
  const { namespace = '', name, uid } = metadata;
  const write = (annotations: Readonly<Record<string, string | null>>): Promise<KubernetesObject> =>
    client.patch(
      { ...rowOf(kind, kinds).resource, namespace },
      name,
      // with the uid: a new workload of that name is another one
      { metadata: { uid, annotations } },
      { fieldManager: REQUEST_FIELD_MANAGER },
    );
  const none = Object.fromEntries(OWN.map((key) => [key, null]));
  try {
    // API servers ask the webhook about changes of annotations: to remove ours is one, if there are any
    const hasOwn = OWN.some((key) => metadata.annotations?.[key] !== undefined);
    if (!hasOwn) await write({ [annotation.requested]: REQUEST });
    return isInjected(kind, await write(none), kinds) ? { text: NOT_RESTORED, isAway: false } : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    return { text: describeError(error), isAway: error instanceof ApiError && error.code === 0 };
  }
}

function nameOf({ kind, object: { metadata } }: Injected): string {
  return `${metadata.namespace ?? ''}/${metadata.name} (${kind})`;
}
