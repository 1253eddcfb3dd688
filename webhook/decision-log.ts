import type { Outcome } from '../core/injection/outcome.ts';
import { shownText } from '../core/shown.ts';
import type { Clock } from '../kube/clock.ts';
import { LineBound } from '../kube/line-bound.ts';
import type { Logger } from '../kube/log.ts';

/** What the log says of a review: names, and nothing else of the object. */
export interface LoggedReview {
  readonly uid: string;
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly operation: string;
  readonly dryRun: boolean;
  readonly outcome: Outcome | 'Skipped';
  /** Whether the template is changed. */
  readonly isChanged: boolean;
  readonly policy: string | undefined;
  /** Why it was denied. */
  readonly reason: string | undefined;
  /** Names of the containers that are wrapped now. */
  readonly wrapped: readonly string[];
  /** How long it took. */
  readonly ms: number;
}

// A namespace in which everything is applied at once is told whole; one that is applied in a loop is not. A line has
// about 300 bytes: at most 6 kB a minute of one namespace, and 6 kB a second of all.
const LINES_OF_NAMESPACE = 20;
const LINES_OF_ALL = 1_200;

// More are rare, and names of containers are not valid yet: they may be of any length.
const MOST_CONTAINERS = 10;
const LONGEST_NAME = 63;

/**
 * Logs what admission has decided: a line for each workload that was injected, restored or denied, as many as LineBound
 * allows, and one for every other review at level debug. A dry run changes nothing, and some tools make one every few
 * minutes for all that they manage: it is always one for debug.
 */
export class DecisionLog {
  readonly #logger: Logger;
  readonly #bound: LineBound;

  constructor({ clock, logger }: { readonly clock: Pick<Clock, 'elapsed'>; readonly logger: Logger }) {
    this.#logger = logger;
    const bounds = { ofNamespace: LINES_OF_NAMESPACE, ofAll: LINES_OF_ALL };
    this.#bound = new LineBound({ clock, logger, what: 'decisions', ...bounds });
  }

  note({ wrapped, isChanged, dryRun, reason, ms, ...about }: LoggedReview): void {
    const line = {
      ...about,
      ...(reason !== undefined && { reason }),
      ...(wrapped.length > 0 && { containers: shownNames(wrapped) }),
      ...(dryRun && { dryRun }),
      ms: Math.round(ms * 1000) / 1000,
    };
    const told = toldOf(about.outcome, isChanged);
    if (told !== undefined && !dryRun && this.#bound.take(about.namespace)) this.#logger.info(line, told);
    else this.#logger.debug(line, 'reviewed');
  }
}

function toldOf(outcome: LoggedReview['outcome'], isChanged: boolean): 'injected' | 'restored' | 'denied' | undefined {
  if (outcome === 'Injected') return 'injected';
  if (outcome === 'Denied') return 'denied';
  // what is excluded now may have been injected before
  return outcome === 'Restored' || (outcome === 'Excluded' && isChanged) ? 'restored' : undefined;
}

function shownNames(names: readonly string[]): readonly string[] {
  const shown = names.slice(0, MOST_CONTAINERS).map((name) => shownText(name, LONGEST_NAME));
  const more = names.length - shown.length;
  return more > 0 ? [...shown, `… and ${more} more`] : shown;
}
