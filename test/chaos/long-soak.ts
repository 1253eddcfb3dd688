/** The soak of an hour, and what of its samples is told. */
import { join } from 'node:path';

import { median, table } from '../bench/table.ts';
import { setting } from './setting.ts';
import { LONG } from './soak-pace.ts';
import { soak } from './soak.ts';
import type { Half, SoakResult } from './soak.ts';
import { slopeOf } from './soak-record.ts';
import type { Sample } from './soak-record.ts';
import { atLeast, atMost, never } from './table.ts';
import type { Aim, Report } from './table.ts';

/** What half an hour of garbage collections makes of a process that does not grow. */
const MOST_RSS_SLOPE = 20;
const MOST_HEAP_SLOPE = 10;
/** Idle connections to the API server come and go: 26 to 60 descriptors were seen. */
const MOST_MORE_DESCRIPTORS = 10;
const MOST_TOLD = 10;
/** Samples at each end of the second half that are compared. */
const EDGE = 12;

export async function playSoak(tell: (line: string) => void): Promise<Report[]> {
  const result = await soak({
    minutes: setting('CHAOS_MINUTES', 60),
    replicas: 2,
    namespaces: setting('CHAOS_NAMESPACES', 12),
    seed: setting('CHAOS_SEED', 1),
    pace: LONG,
    dist: process.env.CHAOS_DIST ?? join(import.meta.dirname, '../../dist'),
    tell,
  });
  return [soakReport(result)];
}

export function soakReport(result: SoakResult): Report {
  const { record, restarts, rightAfter, halves, faults } = result;
  return {
    title: `A soak of ${(result.seconds / 60).toFixed(0)} minutes, two replicas`,
    details: detailsOf(result),
    aims: [
      never(
        'violations: stored bare, or a status that did not follow within 60 s',
        record.violations.length - faults.length,
      ),
      never('that was not right a minute after the last change', faults.length),
      atMost(60, 'until all conditions and workloads were right', rightAfter, ' s'),
      ...halves.flatMap(aimsOf),
      atLeast(1, 'replicas that lived through the second half', halves.length),
      atLeast(1, 'restarts of the API server', restarts.apiServer),
    ],
  };
}

function aimsOf({ replica, samples }: Half): Aim[] {
  const slope = (of: (sample: Sample) => number): number => slopeOf(samples.map((one) => [one.at / 3600, of(one)]));
  const [first, last] = [edge(samples.slice(0, EDGE)), edge(samples.slice(-EDGE))];
  return [
    atMost(
      MOST_RSS_SLOPE,
      `${replica}: RSS slope`,
      slope(({ rssMiB }) => rssMiB),
      ' MiB/h',
    ),
    atMost(
      MOST_HEAP_SLOPE,
      `${replica}: heap slope`,
      slope(({ heapMiB }) => heapMiB),
      ' MiB/h',
    ),
    atMost(MOST_MORE_DESCRIPTORS, `${replica}: more descriptors at its end than at its begin`, last - first),
  ];
}

function edge(samples: readonly Sample[]): number {
  return median(samples.map(({ descriptors }) => descriptors));
}

function detailsOf({ record, restarts, leaderChanges, halves, folder, seconds }: SoakResult): string {
  const range = (values: readonly number[]): string => {
    const known = values.filter((value) => !Number.isNaN(value));
    return [known[0], Math.min(...known), median(known), Math.max(...known), known.at(-1)]
      .map((one) => one?.toFixed(0))
      .join(' / ');
  };
  const row = (what: string, of: (sample: Sample) => number): string[] => [
    what,
    ...halves.map(({ samples }) => range(samples.map(of))),
  ];
  const figures = table([
    ['second half: first / least / median / most / last', ...halves.map(({ replica }) => replica)],
    row('RSS, MiB', ({ rssMiB }) => rssMiB),
    row('heap in use, MiB', ({ heapMiB }) => heapMiB),
    row('file descriptors', ({ descriptors }) => descriptors),
    row('connections to the API server', ({ connections }) => connections),
    row('longest delay of the event loop in 10 s, ms', ({ loopMs }) => loopMs),
  ]);
  const { apiServer, replica, cut, isolation, renewal } = restarts;
  const done = table([
    ['what happened', 'times'],
    ['changes of policies', record.sum('policy:')],
    ['changes of workloads', record.sum('workload:')],
    ['– not stored, because something was away', record.sum('workload: not stored')],
    ['– refused by an unusable policy, as they should be', record.sum('workload: refused')],
    ['restarts of the API server', apiServer],
    ['watches cut', cut],
    ['leader cut off for longer than its lease', isolation],
    ['restarts of a replica', replica],
    ['renewals of the certificates', renewal],
    ['changes of the leader', leaderChanges],
    ['longest wait for a status, undisturbed', `${(record.longestWaitMs / 1000).toFixed(1)} s`],
  ]);
  const violations = record.violations.slice(0, MOST_TOLD).map((violation) => `- ${violation}`);
  const failures = [...record.failures].toSorted((a, b) => b[1] - a[1]).slice(0, MOST_TOLD);
  const told = failures.map(([what, count]) => `- ${count} × ${what}`);
  const end = `${(seconds / 60).toFixed(1)} minutes; samples and logs are in ${folder}.`;
  return [done, figures, ['Not stored:', '', ...told].join('\n'), violations.join('\n'), end]
    .filter((part) => part !== '')
    .join('\n\n');
}
