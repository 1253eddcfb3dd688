import { Counter, type Registry as Register } from 'prom-client';

import type { PollerObserver } from './version-poller.ts';

type PollResult = Parameters<Required<PollerObserver>['onPoll']>[0];

const POLL_RESULTS: Readonly<Record<PollResult, true>> = {
  Version: true,
  Deleted: true,
  Missing: true,
  Forbidden: true,
  Unexpected: true,
  Away: true,
  LoginRefused: true,
  NoToken: true,
};
const LOGIN_RESULTS = { worked: 'success', failed: 'failure' } as const;

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
  for (const result of Object.keys(POLL_RESULTS)) polls.inc({ result }, 0);
  for (const result of Object.values(LOGIN_RESULTS)) logins.inc({ result }, 0);
  return {
    onPoll: (result) => polls.inc({ result }),
    onLogin: (worked) => logins.inc({ result: worked ? LOGIN_RESULTS.worked : LOGIN_RESULTS.failed }),
  };
}
