import { ANNOTATIONS, annotation } from '../../core/injection/annotations.ts';
import type { AnnotationName } from '../../core/injection/annotations.ts';
import { isInjected } from '../../core/injection/injected.ts';
import { KINDS, WORKLOAD_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { REQUEST_FIELD_MANAGER } from '../../core/workload/plan.ts';
import type { Clock } from '../../kube/clock.ts';
import { describeError, isNotFound } from '../../kube/errors.ts';
import { itemsOf } from '../../kube/items.ts';
import type { ObjectClient } from '../../kube/object-client.ts';

export interface RestorationOptions {
  readonly client: Pick<ObjectClient, 'list' | 'patch'>;
  readonly clock: Clock;
  /** Workloads in a second. */
  readonly rate: number;
  /** Told of progress and of failures, in lines for people. */
  readonly say: (line: string) => void;
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

const NOT_RESTORED = 'admission has not restored it: no replica of the operator has answered, or none that is told to';

const AGAIN =
  'it was restored, and is injected again: something writes the injected template back, or a replica is not told to restore';

/** What the operator has written on workloads; gone afterwards. */
const OWN: readonly string[] = (Object.keys(ANNOTATIONS) as AnnotationName[])
  .filter(
    (name) =>
      ANNOTATIONS[name].setBy === 'Operator' && (ANNOTATIONS[name].on as readonly string[]).includes('Workload'),
  )
  .map((name) => annotation[name]);

/**
 * Has admission give all injected workloads their templates back: it touches one annotation of each, and admission does
 * the rest, as after the deletion of a policy. Continues after failures; resolves with what is left when nothing more can
 * be restored. Rejects with ApiError if workloads cannot be listed.
 */
export async function restoreAll(options: RestorationOptions): Promise<readonly Left[]> {
  const { client, clock, rate, say } = options;
  const why = new Map<string, string>();
  const restored = new Set<string>();
  let left = await injected(client);
  const total = left.length;
  say(total === 0 ? 'no workload is injected' : `restoring ${total} workloads, ${rate} in a second`);
  let fewest = total;
  for (let vain = 0; left.length > 0 && vain < VAIN_ROUNDS; vain += 1) {
    for (const one of left) {
      const failure = await restoreOne(client, one);
      const name = nameOf(one);
      if (failure === undefined && !restored.has(name)) {
        restored.add(name);
        if (restored.size % TELL_EACH === 0) say(`restored ${restored.size} of ${Math.max(total, restored.size)}`);
      }
      // that replicas have yet to learn of it is worth no line
      if (failure !== undefined && failure !== NOT_RESTORED && why.get(name) !== failure)
        say(`not restored: ${name}: ${failure}`);
      why.set(name, failure ?? AGAIN);
      await clock.sleep(1_000 / rate);
    }
    await clock.sleep(PAUSE_MS);
    left = await injected(client);
    if (left.length < fewest) vain = -1;
    fewest = Math.min(fewest, left.length);
  }
  if (total > 0)
    say(
      `restored ${Math.max(total, restored.size) - left.length} of ${Math.max(total, restored.size)}, ${left.length} left`,
    );
  return left.map((one) => ({ workload: nameOf(one), why: why.get(nameOf(one)) ?? NOT_RESTORED }));
}

async function injected(client: Pick<ObjectClient, 'list'>): Promise<readonly Injected[]> {
  const found: Injected[] = [];
  for (const kind of WORKLOAD_KINDS) {
    for await (const object of itemsOf(client, KINDS[kind].resource, { limit: PAGE })) {
      if (isInjected(kind, object)) found.push({ kind, object: { ...object, spec: undefined, status: undefined } });
    }
  }
  return found;
}

/** Resolves with why it is still injected; undefined: it is not. */
async function restoreOne(
  client: Pick<ObjectClient, 'patch'>,
  { kind, object: { metadata } }: Injected,
): Promise<string | undefined> {
  const { namespace = '', name, uid } = metadata;
  const write = (annotations: Readonly<Record<string, string | null>>): Promise<KubernetesObject> =>
    client.patch(
      { ...KINDS[kind].resource, namespace },
      name,
      // with the uid: a new workload of that name is another one
      { metadata: { uid, annotations } },
      { fieldManager: REQUEST_FIELD_MANAGER },
    );
  const none = Object.fromEntries(OWN.map((key) => [key, null]));
  try {
    // API servers ask the webhook about changes of annotations: to remove ours is one, if there are any
    const hasOwn = OWN.some((key) => metadata.annotations?.[key] !== undefined);
    if (!hasOwn) await write({ [annotation.requested]: 'Uninstall' });
    return isInjected(kind, await write(none)) ? NOT_RESTORED : undefined;
  } catch (error) {
    return isNotFound(error) ? undefined : describeError(error);
  }
}

function nameOf({ kind, object: { metadata } }: Injected): string {
  return `${metadata.namespace ?? ''}/${metadata.name} (${kind})`;
}
