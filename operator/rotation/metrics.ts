import { Counter, type Registry as Register } from 'prom-client';

import type { PollerObserver } from './version-poller.ts';

/** Counts what rotation asks of Vaults into `register`. */
export function createRotationMetrics(register: Register): Required<PollerObserver> {
  const registers = [register];
  const polls = new Counter({
    name: 'vault_injection_rotation_polls_total',
    help: 'Looks at the newest version of a secret, by what came of them.',
    labelNames: ['result'] as const,
    registers,
  });
  const logins = new Counter({
    name: 'vault_injection_rotation_logins_total',
    help: 'Log-ins of the operator to Vaults, to look at versions.',
    labelNames: ['result'] as const,
    registers,
  });
  return {
    onPoll: (result) => polls.inc({ result }),
    onLogin: (worked) => logins.inc({ result: worked ? 'success' : 'failure' }),
  };
}
