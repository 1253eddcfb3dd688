/** One of two replicas is frozen in each of four ways, while a hundred workloads are created in new namespaces. */
import { startControlPlane } from '../support/control-plane.ts';
import { frozenTable, playFrozen } from './frozen.ts';
import type { Freeze, FrozenResult, Tally } from './frozen.ts';
import { setting } from './setting.ts';
import { atLeast, atMost, never } from './table.ts';
import type { Report } from './table.ts';

const NAMESPACES = setting('CHAOS_FROZEN_NAMESPACES', 10);
const WORKLOADS = 10;
/** What is 15 s by the replica's own clock is seen by those who ask all the time a little later. */
const MOST_UNREADY_SECONDS = 16;
const FREEZES: readonly Freeze[] = [
  { what: 'policy watch', leader: false },
  { what: 'policy watch', leader: true },
  { what: 'everything', leader: false },
  { what: 'everything', leader: true },
];

export async function playFrozenLong(tell: (line: string) => void): Promise<Report[]> {
  const results: FrozenResult[] = [];
  for (const freeze of FREEZES) {
    tell(`frozen: ${freeze.what} of ${freeze.leader ? 'the leader' : 'the other'}`);
    const plane = await startControlPlane({ controllers: false });
    try {
      results.push(...(await playFrozen({ plane, freezes: [freeze], namespaces: NAMESPACES, workloads: WORKLOADS })));
    } finally {
      await plane.stop();
    }
  }
  return [reportOf(results)];
}

function reportOf(results: readonly FrozenResult[]): Report {
  const sum = (of: (tally: Tally) => number): number =>
    results
      .flatMap(({ created, before, widened }) => [created, before, widened])
      .reduce((all, one) => all + of(one), 0);
  const slowest = Math.max(...results.map(({ notReadyAfterMs }) => notReadyAfterMs));
  const wrong = results.reduce((all, { wrongAfterThaw }) => all + wrongAfterThaw.length, 0);
  const refusals = results.filter(({ refusal }) => refusal !== '').map(({ refusal }) => `- ${refusal}`);
  return {
    title: 'One of two replicas is frozen',
    details: [frozenTable(results), ...refusals].join('\n'),
    aims: [
      never(
        'stored without their injection',
        sum(({ bare }) => bare),
      ),
      never(
        'refused',
        sum(({ refused }) => refused),
      ),
      atMost(MOST_UNREADY_SECONDS, 'until the frozen one is not ready', slowest / 1000, ' s'),
      never('wrong a minute after the thaw', wrong),
      atLeast(
        results.length * NAMESPACES * WORKLOADS,
        'created or changed',
        sum(({ tried }) => tried),
      ),
    ],
  };
}
