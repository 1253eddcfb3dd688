import { Counter, type Registry as Register } from 'prom-client';

import type { PollerObserver } from './version-poller.ts';

/** Registers metrics of rotation's requests to Vaults in `register`. */
export function createRotationMetrics(register: Register): Required<PollerObserver> {
  const registers = [register];
  const polls = new Counter({
    name: 'vault_injection_rotation_polls_total',
    help: 'Reads of the latest version of a secret, by result.',
    labelNames: ['result'] as const,
    registers,
  });
  const logins = new Counter({
    name: 'vault_injection_rotation_logins_total',
    help: 'Logins of the operator to Vaults to read versions of secrets, by result.',
    labelNames: ['result'] as const,
    registers,
  });
  return {
    onPoll: (result) => polls.inc({ result }),
    onLogin: (worked) => logins.inc({ result: worked ? 'success' : 'failure' }),
  };
}
