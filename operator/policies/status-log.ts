import type { Condition } from '../../core/policy/policy.generated.ts';
import type { Clock } from '../../kube/clock.ts';
import { LineBound } from '../../kube/line-bound.ts';
import type { Logger } from '../../kube/log.ts';
import type { PolicyStatus } from './conditions.ts';

/** The conditions whose changes are for the log: the others are steps towards them, or say the same in other words. */
const LOGGED = ['Ready', 'VaultReachable', 'Stalled'] as const;

type Logged = (typeof LOGGED)[number];
type Said = Pick<Condition, 'status' | 'reason' | 'message'>;

// Tens of policies of a namespace share a Vault that is lost, and thousands of a cluster.
const LINES_OF_NAMESPACE = 20;
const LINES_OF_ALL = 300;

/**
 * Logs what has changed about a policy when its status was written: a line for each condition that has another status or
 * reason, with its message; conditions that say the same share one. A Vault that is lost, and a policy that is stalled, are
 * warnings. Counts of workloads change all the time and make no line.
 */
export class StatusLog {
  readonly #logger: Logger;
  readonly #bound: LineBound;

  constructor({ clock, logger }: { readonly clock: Pick<Clock, 'elapsed'>; readonly logger: Logger }) {
    this.#logger = logger;
    const bounds = { ofNamespace: LINES_OF_NAMESPACE, ofAll: LINES_OF_ALL };
    this.#bound = new LineBound({ clock, logger, what: 'changes of policies', ...bounds });
  }

  /** Compares the status that the API server had with the one that was just written. `policy`: its namespace/name. */
  written(policy: string, namespace: string, known: PolicyStatus | undefined, next: PolicyStatus): void {
    const lines = new Map<string, { conditions: string[]; said: Said; isWarning: boolean }>();
    for (const type of LOGGED) {
      const said = saidOf(type, next);
      if (said === undefined || !isNews(type, saidOf(type, known), said)) continue;
      const id = `${said.reason} ${said.message}`;
      const line = lines.get(id) ?? { conditions: [], said, isWarning: false };
      line.conditions.push(`${type}=${said.status}`);
      line.isWarning ||= isBad(type, said);
      lines.set(id, line);
    }
    for (const { conditions, said, isWarning } of lines.values()) {
      if (!this.#bound.take(namespace)) continue;
      const { reason, message } = said;
      const line = { policy, generation: next.observedGeneration, conditions, reason, message };
      if (isWarning) this.#logger.warn(line, 'the status of the policy changed');
      else this.#logger.info(line, 'the status of the policy changed');
    }
  }
}

function saidOf(type: Logged, status: PolicyStatus | undefined): Said | undefined {
  const find = (name: Logged): Condition | undefined => status?.conditions?.find((one) => one.type === name);
  const found = find(type);
  // it is there only while it is True
  const ready = type === 'Stalled' && found === undefined ? find('Ready') : undefined;
  return ready === undefined ? found : { status: 'False', reason: ready.reason, message: ready.message };
}

/** What is not known yet is no news, and neither is that a policy was never stalled. */
function isNews(type: Logged, before: Said | undefined, { status, reason }: Said): boolean {
  if (type === 'Stalled' && status === 'False') return before?.status === 'True';
  if (before === undefined) return status !== 'Unknown';
  return before.status !== status || (status !== 'Unknown' && before.reason !== reason);
}

function isBad(type: Logged, { status }: Said): boolean {
  return (type === 'VaultReachable' && status === 'False') || (type === 'Stalled' && status === 'True');
}
