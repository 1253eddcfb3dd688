import type { Kinds } from '../../core/kinds.ts';
import type { Entry, WebhookConfiguration } from './configuration.ts';
import { bothOf, exceptFor, NOTHING } from './groups.ts';
import type { Sent } from './groups.ts';
import { hasEntry, sentBy } from './observed.ts';

/** What is sent here, by failure policy. */
export type Sending = Readonly<Record<Entry, Sent>>;

export interface SendingFacts {
  /** What policies ask for; see NamespaceLedger.assignment(). */
  readonly asked: Sending;
  /** The cluster's configuration. */
  readonly observed: WebhookConfiguration | undefined;
  /** Whether it is about to be taken over from another installation: what it sends is not this one's. */
  readonly isTakingOver: boolean;
  /** Whether API servers have reached the webhook. */
  readonly isReached: boolean;
  /** Whether no other replica may know newer policies. */
  readonly areFresh: boolean;
  /** All kinds that the operator knows. */
  readonly table: Kinds | undefined;
}

/**
 * Returns what to send here. Before API servers have reached the webhook, what Fail policies name is in ignoring entries,
 * unless there is a failing one already: a webhook that nobody can reach must not keep workloads from being created that
 * were created before. What is in a failing entry stays there while this replica may know less about policies than the
 * one that led before.
 */
export function sendingOf(facts: SendingFacts): Sending {
  const { asked, observed } = facts;
  const { ignore, fail } = asked;
  if (!facts.isReached && !hasEntry(observed, 'fail')) return { ignore: bothOf(ignore, fail), fail: NOTHING };
  if (facts.areFresh || observed === undefined || facts.isTakingOver) return asked;
  const kept = bothOf(fail, sentBy(observed, facts.table).fail);
  return { ignore: exceptFor(ignore, kept), fail: kept };
}
