import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

export interface TurnedAwayOptions {
  /** Such as 'webhook', for the log. */
  readonly server: string;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly logger: Logger;
  /** Counts one, by its reason. */
  readonly count: (reason: string) => void;
}

const EVERY_MS = 60_000;

/**
 * Tells of clients that a server turns away: each is counted, and the log has at most one line a minute, with how many
 * there were for each reason, and the last address that is known. So nobody fills a log by being turned away.
 */
export class TurnedAwayLog {
  readonly #options: TurnedAwayOptions;
  #counts: Record<string, number> = {};
  #lastFrom = 'unknown';
  #toldAt = -Infinity;

  constructor(options: TurnedAwayOptions) {
    this.#options = options;
  }

  /** `reason`: one of a few words of the program, never what a client has sent; `address`: '' if it is not known. */
  note(reason: string, address: string): void {
    const { server, clock, logger, count } = this.#options;
    count(reason);
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1;
    if (address !== '') this.#lastFrom = address;
    const now = clock.elapsed();
    if (now < this.#toldAt + EVERY_MS) return;
    logger.info(
      { server, turnedAway: this.#counts, lastFrom: this.#lastFrom },
      'clients were turned away; this line comes at most once a minute',
    );
    this.#toldAt = now;
    this.#counts = {};
  }
}
