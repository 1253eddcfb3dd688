import { Counter } from 'prom-client';

import { TurnedAwayLog } from '../../kube/turned-away.ts';
import type { Context } from './context.ts';

export interface TurnedAway {
  readonly webhook: TurnedAwayLog;
  readonly health: TurnedAwayLog;
}

const CONNECTIONS = ['peer', 'total', 'rate', 'displaced', 'malformed', 'late'] as const;
const REASONS = {
  webhook: [...CONNECTIONS, 'handshake', 'path', 'certificate', 'name', 'token'],
  health: CONNECTIONS,
} as const;

/** Creates what the servers tell of clients that they turn away: one counter for all, and a bounded line in the log. */
export function createTurnedAway({
  register,
  clock,
  logger,
}: Pick<Context, 'register' | 'clock' | 'logger'>): TurnedAway {
  const counter = new Counter({
    name: 'vault_injection_turned_away_total',
    help:
      'Clients that got nothing. Connections, by server: an address had too many (peer) or opened too many that came to ' +
      'nothing (rate), there was no place (total) or another one got it (displaced), the handshake failed (handshake), no ' +
      'HTTP came (malformed) or not in time (late). Requests at the webhook: another path than that of API servers (path); ' +
      'where API servers have to authenticate, no valid client certificate (certificate), one with another name (name), or ' +
      'no valid token (token).',
    labelNames: ['server', 'reason'],
    registers: [register],
  });
  const of = (server: keyof TurnedAway): TurnedAwayLog => {
    for (const reason of REASONS[server]) counter.inc({ server, reason }, 0);
    return new TurnedAwayLog({ server, clock, logger, count: (reason) => counter.inc({ server, reason }) });
  };
  return { webhook: of('webhook'), health: of('health') };
}
