import { expect } from 'chai';

import type { WorkloadKind } from '../../../../core/kinds.ts';
import { DrainWatch } from '../../../../webhook/configuration/drain-watch.ts';
import { NamespaceLedger, RECHECK_MS, SETTLE_MS } from '../../../../webhook/configuration/namespaces.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';

const none = new Map<string, never>();
const KINDS = ['Deployment', 'CronJob'] as const;

describe('a namespace without policies, by a copy of the workloads', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let ledger: NamespaceLedger;
  let drains: DrainWatch;
  let held: Map<string, Set<WorkloadKind>> | undefined;
  let lastSeen: number | undefined;
  let dropped: number;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    ledger = new NamespaceLedger([]);
    ledger.setPolicies(kindPolicies([['shop', 'Fail']], KINDS), clock.now());
    [held, lastSeen, dropped] = [new Map(), undefined, 0];
    drains = new DrainWatch({
      client: api,
      clock,
      random: () => 0.5,
      logger: testLog().logger,
      ledger,
      copy: {
        holdsInjected: (namespace, kind) => held && held.get(namespace)?.has(kind) === true,
        injectedKinds: () => held,
        get lastSeen() {
          return lastSeen;
        },
      },
      onDropped: () => (dropped += 1),
    });
    drains.start();
  });
  afterEach(() => drains.stop());

  function losePolicies(): void {
    ledger.setPolicies(none, clock.now());
    drains.wake();
  }

  const draining = (): readonly string[] =>
    [...(ledger.assignment()?.ignore ?? [])].map(([namespace, kinds]) => [namespace, ...[...kinds].sort()].join(' '));

  it('stays while the copy knows an injected workload, and is dropped without a request when it knows none', async () => {
    held?.set('shop', new Set(KINDS));
    losePolicies();
    await clock.advance(SETTLE_MS + 10 * RECHECK_MS);
    expect([draining(), api.calls]).to.deep.equal([['shop CronJob Deployment'], []]);
    held?.get('shop')?.delete('CronJob');
    lastSeen = clock.now();
    await clock.advance(RECHECK_MS);
    expect([draining(), dropped, api.calls], 'each kind by itself').to.deep.equal([['shop Deployment'], 1, []]);
    held?.clear();
    lastSeen = clock.now();
    await clock.advance(RECHECK_MS);
    expect([draining(), dropped, api.calls]).to.deep.equal([[], 2, []]);
  });

  it('stays until the API server has confirmed the copy since the last admission under a policy', async () => {
    losePolicies();
    lastSeen = clock.now() + SETTLE_MS - 1;
    await clock.advance(10 * SETTLE_MS);
    expect([draining(), api.calls]).to.deep.equal([['shop CronJob Deployment'], []]);
    lastSeen += 1;
    await clock.advance(5_000);
    expect([draining(), api.calls]).to.deep.equal([[], []]);
  });

  it('is listed while the copy does not know all workloads', async () => {
    held = undefined;
    losePolicies();
    await clock.advance(SETTLE_MS + 1_000);
    expect([draining(), api.calls]).to.deep.equal([[], ['list deployments', 'list cronjobs']]);
  });

  it('is found by the copy when nothing else tells, as soon as it knows all workloads', async () => {
    held = undefined;
    drains.sweep();
    await clock.advance(20_000);
    held = new Map([['left', new Set(['Job'] as const)]]);
    await clock.advance(5_000);
    expect([draining(), api.calls]).to.deep.equal([['left Job'], []]);
  });
});
