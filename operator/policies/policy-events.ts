import type { EventRecorder, Regarding } from '../../kube/event-recorder.ts';
import { keyOf } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { Condition } from '../../core/policy/policy.generated.ts';
import type { ReasonCode } from '../../core/reasons.ts';
import type { PolicyStatus } from './conditions.ts';

const TURNING = ['Ready', 'VaultReachable', 'Stalled'] as const;

type Turning = (typeof TURNING)[number];

/** A condition that says something definite; what is only on its way, or not known yet, is no turn. */
interface Said {
  readonly isTrue: boolean;
  readonly reason: string;
  readonly message: string;
}

/**
 * Events on policies when a condition turns, once per turn, and when workloads are found that refer to Vault and are of a
 * kind that no policy of the namespace names; by the replica that writes the statuses.
 */
export class PolicyEvents {
  readonly #events: Pick<EventRecorder, 'record'>;
  /** By policy: what was said last, for as long as the stored status says nothing definite. */
  readonly #said = new Map<string, ReadonlyMap<Turning, Said>>();

  constructor(events: Pick<EventRecorder, 'record'>) {
    this.#events = events;
  }

  /**
   * Tells what has turned from the status that the API server had to the one that was just written. After a start of the
   * operator both say the same, so nothing is told.
   */
  written(policy: KubernetesObject, known: PolicyStatus | undefined, next: PolicyStatus): void {
    const key = keyOf(policy.metadata);
    const before = this.#said.get(key);
    const said = new Map<Turning, Said>();
    const told = new Set<string>();
    for (const type of TURNING) {
      const was = definite(type, known) ?? before?.get(type);
      const is = definite(type, next);
      const last = is ?? was;
      if (last !== undefined) said.set(type, last);
      if (is === undefined || was?.isTrue === is.isTrue) continue;
      // a new policy that is well needs no Event
      if (was === undefined && isWell(type, is)) continue;
      const id = `${is.reason} ${is.message}`;
      if (!told.has(id)) this.#tell(policy, type, is);
      told.add(id);
    }
    this.#said.set(key, said);
    this.#tellUncovered(policy, known, next);
  }

  /** Forgets a policy (`namespace/name`) that is gone. */
  forget(key: string): void {
    this.#said.delete(key);
  }

  /** Once for each kind: of those that the status named before, people know. */
  #tellUncovered(policy: KubernetesObject, known: PolicyStatus | undefined, next: PolicyStatus): void {
    const before = new Set((known?.uncovered ?? []).map(({ kind }) => kind));
    for (const { kind, count, example, message } of next.uncovered ?? []) {
      if (before.has(kind)) continue;
      const what = `${kind} ${example}${count > 1 ? ` (and ${count - 1} more)` : ''} refers to Vault`;
      const text = `${what}, and ${message}`;
      this.#events.record({ regarding: regardingOf(policy), type: 'Warning', reason: 'KindNotCovered', message: text });
    }
  }

  #tell(policy: KubernetesObject, type: Turning, said: Said): void {
    const isExpected = isWell(type, said) || said.reason === 'Suspended';
    this.#events.record({
      regarding: regardingOf(policy),
      type: isExpected ? 'Normal' : 'Warning',
      reason: said.reason as ReasonCode,
      message: `${said.isTrue ? type : `not ${type}`}: ${said.message}`,
    });
  }
}

function regardingOf({ apiVersion, kind, metadata }: KubernetesObject): Regarding {
  const { namespace = '', name, uid = '' } = metadata;
  return { apiVersion, kind, namespace, name, uid };
}

function isWell(type: Turning, { isTrue }: Said): boolean {
  return type === 'Stalled' ? !isTrue : isTrue;
}

function definite(type: Turning, status: PolicyStatus | undefined): Said | undefined {
  const find = (name: string): Condition | undefined => status?.conditions?.find((one) => one.type === name);
  const isOnItsWay = find('Reconciling')?.status === 'True';
  if (isOnItsWay && type !== 'VaultReachable') return undefined;
  const found = find(type);
  if (type === 'Stalled' && found === undefined) {
    const ready = find('Ready');
    return ready && { isTrue: false, reason: ready.reason, message: ready.message };
  }
  if (found === undefined || found.status === 'Unknown') return undefined;
  return { isTrue: found.status === 'True', reason: found.reason, message: found.message };
}
