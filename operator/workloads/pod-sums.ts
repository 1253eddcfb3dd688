/** How many pods were created under a policy: what the status says, and what replicas tell, added up. Pure. */
import { asList, asObject, asString } from '../../core/json.ts';
import type { VaultInjectionPolicyStatus } from '../../core/policy/policy.generated.ts';
import { toKubernetesTime } from '../../core/time.ts';
import type { PodOutcome, PublishedPods } from '../replicas/state.ts';
import type { ReviewedWorkload } from './reviewed.ts';

/** As in the CRD. */
export type PodStatus = NonNullable<VaultInjectionPolicyStatus['pods']>;

type Counts = Readonly<Record<PodOutcome, number>>;

const OUTCOMES = ['injected', 'denied', 'failed', 'unchanged'] as const;
// As in the CRD.
const MOST_COUNTED = 32;

/**
 * Returns the status after what each process tells: it adds what the status does not have of it yet. The same object if
 * there is nothing to add, so that no order and no repetition of such additions counts anything twice.
 *
 * @param told what processes have counted since they began, by an id of the process
 * @param alive ids of the processes that may go on counting
 */
export function withTold(
  known: PodStatus | undefined,
  told: ReadonlyMap<string, PublishedPods>,
  alive: ReadonlySet<string> = new Set(),
): PodStatus | undefined {
  const counted = countedIn(known);
  const sums: Record<PodOutcome, number> = { injected: 0, denied: 0, failed: 0, unchanged: 0 };
  for (const outcome of OUTCOMES) sums[outcome] = known?.[outcome] ?? 0;
  const news: [id: string, counts: Counts][] = [];
  let [first, last] = [secondsOf(known?.since) ?? Infinity, secondsOf(known?.lastTime) ?? 0];
  for (const [id, pods] of told) {
    const before = counted.get(id);
    if (before !== undefined && OUTCOMES.every((outcome) => before[outcome] === pods[outcome])) continue;
    // a sum that is smaller began again at nothing
    const isAhead = before !== undefined && OUTCOMES.every((outcome) => before[outcome] <= pods[outcome]);
    for (const outcome of OUTCOMES) sums[outcome] += pods[outcome] - (isAhead ? before[outcome] : 0);
    news.push([id, pods]);
    first = Math.min(first, pods.first);
    last = Math.max(last, pods.last);
  }
  if (news.length === 0) return known;
  const rest = [...counted].filter(([id]) => !news.some(([other]) => other === id));
  const kept = [...news, ...rest.filter(([id]) => alive.has(id)), ...rest.filter(([id]) => !alive.has(id))];
  return {
    ...sums,
    since: toKubernetesTime(first * 1000),
    lastTime: toKubernetesTime(last * 1000),
    counted: kept.slice(0, MOST_COUNTED).map(([id, counts]) => `${id} ${OUTCOMES.map((one) => counts[one]).join('/')}`),
  };
}

/** Returns as what a review counts; undefined if it is none of a new pod, or the second one of the same. */
export function podOutcomeOf({
  kind,
  operation,
  outcome,
  denial,
  held,
  skipped = [],
  cameInjected,
}: ReviewedWorkload): PodOutcome | undefined {
  if (kind !== 'Pod' || operation !== 'CREATE' || cameInjected === true) return undefined;
  if (denial !== undefined) return 'denied';
  if (held !== undefined || skipped.length > 0) return 'failed';
  return outcome === 'Injected' ? 'injected' : 'unchanged';
}

/** Reads the status as the API server returned it; undefined if it says nothing, or what nobody of us has written. */
export function podStatusOf(value: unknown): PodStatus | undefined {
  const found = asObject(value);
  const [since, lastTime] = [asString(found?.since), asString(found?.lastTime)];
  const isWhole = OUTCOMES.every((outcome) => Number.isSafeInteger(found?.[outcome]));
  if (!isWhole || secondsOf(since) === undefined || secondsOf(lastTime) === undefined) return undefined;
  const counted = (asList(found?.counted) ?? []).filter((one) => typeof one === 'string');
  return { ...(found as unknown as PodStatus), counted };
}

function countedIn(known: PodStatus | undefined): ReadonlyMap<string, Counts> {
  return new Map(
    (known?.counted ?? []).flatMap((text): [string, Counts][] => {
      const [, id = '', ...numbers] = /^(\S+) (\d+)\/(\d+)\/(\d+)\/(\d+)$/.exec(text) ?? [];
      const counts = Object.fromEntries(OUTCOMES.map((outcome, index) => [outcome, Number(numbers[index])]));
      return id === '' ? [] : [[id, counts as Counts]];
    }),
  );
}

function secondsOf(time: string | undefined): number | undefined {
  const ms = Date.parse(time ?? '');
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}
