import type { ReasonOf } from '../../core/reasons.ts';
import { diagnose } from './diagnosis.ts';
import type { Probed } from './result.ts';

/** The condition WebhookReachable, without its type. */
export interface Finding {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: ReasonOf<'WebhookReachable'>;
  readonly message: string;
}

/** What is known about whether API servers reach the webhook. Plain data. */
export interface Reachability {
  /** Undefined until there is something to say: nothing that was said before is taken back until then. */
  readonly finding?: Finding;
  /** The cause that `finding` names: another text of the same cause changes nothing. */
  readonly cause?: string;
  /** It has been reached once. */
  readonly hasBeenReached: boolean;
  /** Results in a row of which none is a success, and since when, by Clock.elapsed(). */
  readonly failures: number;
  readonly since: number;
}

export const NOTHING_KNOWN: Reachability = { hasBeenReached: false, failures: 0, since: 0 };

// One failure may be a replica that just stopped. Two within this time may be the same one: a rollout takes endpoints
// away some seconds before others are known, and a first pod becomes an endpoint only when its probe says so.
const FAILURES = 2;
const FAILING_MS = 5_000;
// After the configuration was written, API servers need up to a second until they call; this long is never that.
const NOT_CALLED_MS = 10_000;

/** Returns what is known after a result; `now` is from Clock.elapsed(), and `port` that of the webhook. */
export function afterProbe(
  known: Reachability,
  { result, text }: Probed,
  { now, port }: { readonly now: number; readonly port: number },
): Reachability {
  if (result === 'Reached') {
    return { finding: REACHED, cause: result, hasBeenReached: true, failures: 0, since: now };
  }
  if (result === 'Unanswered') return known;
  const failures = known.failures + 1;
  const since = known.failures === 0 ? now : known.since;
  const next = { ...known, failures, since };
  const forMs = result === 'NotCalled' || result === 'NotProgrammed' ? NOT_CALLED_MS : FAILING_MS;
  if (failures < FAILURES || now - since < forMs) return next;
  const { cause, finding } = findingOf(result, { text, port }, known);
  const isSaid = known.cause === cause && known.finding?.status === finding.status;
  return isSaid ? next : { ...next, cause, finding };
}

/**
 * Returns what a single dry run shows, for who does not wait for a second one; undefined if it shows nothing, because the
 * API server gave no answer. `port` is that of the webhook, if it is known.
 */
export function findingOfOne({ result, text }: Probed, port?: number): Finding | undefined {
  if (result === 'Reached') return REACHED;
  return result === 'Unanswered' ? undefined : findingOf(result, { text, port }, NOTHING_KNOWN).finding;
}

function findingOf(
  result: Exclude<Probed['result'], 'Reached' | 'Unanswered'>,
  { text, port }: { readonly text: string; readonly port: number | undefined },
  { finding, hasBeenReached }: Reachability,
): { readonly cause: string; readonly finding: Finding } {
  if (result === 'Unreachable') {
    const { cause, advice } = diagnose(text, port);
    return { cause, finding: found('False', 'WebhookUnreachable', `the API server says: ${text}; ${advice}`) };
  }
  if (result === 'NotCalled') return { cause: result, finding: found('False', 'WebhookUnreachable', NOT_CALLED) };
  const message = result === 'NotProgrammed' ? NOT_PROGRAMMED : `${text}; ${adviceOnRefusal(text)}`;
  // what was proven stands until something shows the contrary
  if (hasBeenReached && finding?.status === 'True') {
    return {
      cause: result,
      finding: { ...finding, message: `the webhook was reached, but not probed since: ${message}` },
    };
  }
  return { cause: result, finding: found('Unknown', 'WebhookNotProbed', message) };
}

const REACHED = found('True', 'WebhookReached', 'the API server reaches the webhook');

const NOT_CALLED =
  'the API server does not call the webhook: look for what keeps it out in the entry probe.vaultinjection.dev of the ' +
  'MutatingWebhookConfiguration, and in the log of the operator';

const NOT_PROGRAMMED =
  'the webhook configuration has no entry probe.vaultinjection.dev that sends a dry run in the namespace of the operator ' +
  'to it: look for what somebody has added to that entry, and for errors about it in the log of the operator';

function adviceOnRefusal(text: string): string {
  if (text.includes('already exists')) return 'delete that ConfigMap: nothing uses it';
  return 'let the operator create this ConfigMap in its namespace as a dry run (config/rbac, quotas, other admission policies)';
}

function found(status: Finding['status'], reason: Finding['reason'], message: string): Finding {
  return { status, reason, message };
}
