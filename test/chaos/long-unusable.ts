/** The story of the unusable policy, with one and with two replicas, and, for comparison, of another checkout's build. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { table } from '../bench/table.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';
import { startReplicas } from './replica-set.ts';
import type { ReplicaSet } from './replica-set.ts';
import { setting } from './setting.ts';
import { never, atLeast } from './table.ts';
import type { Report } from './table.ts';
import { playUnusablePolicy } from './unusable-policy.ts';
import type { Act } from './unusable-policy.ts';

/** What API servers need to learn of a configuration that was written. */
const LEARNED_MS = 1_000;
/** Ten acts make 200. */
const WORKLOADS = setting('CHAOS_WORKLOADS', 20);

export async function playUnusable(tell: (line: string) => void): Promise<Report[]> {
  const base = process.env.BASE ?? '';
  const reports: Report[] = [];
  for (const count of [1, 2]) {
    tell(`unusable-policy: ${replicasOf(count)}`);
    reports.push(reportOf(`A policy that cannot be used, ${replicasOf(count)}`, await play(count)));
    if (base === '') continue;
    tell(`unusable-policy: ${replicasOf(count)}, the build in ${base}`);
    const { title, details } = reportOf(`The same before, ${replicasOf(count)}`, await play(count, join(base, 'dist')));
    reports.push({ title, details, aims: [] });
  }
  return reports;
}

function replicasOf(count: number): string {
  return count === 1 ? 'one replica' : `${count} replicas`;
}

async function play(count: number, dist?: string): Promise<readonly Act[]> {
  const plane = await startControlPlane({ controllers: false });
  let replicas: ReplicaSet | undefined;
  const restart = async (withImage: boolean, meanwhile?: () => Promise<unknown>): Promise<void> => {
    await replicas?.close();
    await meanwhile?.();
    const flags = withImage ? [] : ['--injector-image', ''];
    replicas = await startReplicas({ plane, count, flags, bundled: true, ...(dist === undefined ? {} : { dist }) });
    const { url } = replicas.balancer;
    // those before had another address
    await eventually(`API servers to be told ${url}`, async () => {
      const { stdout } = await plane.kubectl(['get', 'mutatingwebhookconfiguration', '-o', 'json']);
      return stdout.includes(`${url}/mutate/`) ? true : undefined;
    });
    await sleep(LEARNED_MS);
  };
  try {
    await restart(true);
    return await playUnusablePolicy({ plane, restart, workloads: WORKLOADS, keepsRules: dist === undefined });
  } finally {
    await replicas?.close();
    await plane.stop();
  }
}

function reportOf(title: string, acts: readonly Act[]): Report {
  const head = ['act', 'workloads', 'injected', 'refused', 'bare'];
  const sum = (of: (act: Act) => number): number => acts.reduce((total, act) => total + of(act), 0);
  const rows = acts.map(({ act, tried, injected, refused, bare }) => [act, tried, injected, refused, bare]);
  const all = [
    'all',
    sum(({ tried }) => tried),
    sum((act) => act.injected),
    sum((act) => act.refused),
    sum((act) => act.bare),
  ];
  const isKnown = ({ act }: Act): boolean => act.startsWith('held') || act.includes('sound');
  const isUnknown = ({ act }: Act): boolean => /^lost: (?:created|template changed), policy unusable/.test(act);
  const refusals = acts
    .filter((act) => isKnown(act) && act.refused > 0)
    .map(({ act, message }) => `- ${act}: ${message}`);
  return {
    title,
    details: [table([head, ...rows, all]), ...refusals].join('\n'),
    aims: [
      never(
        'stored without their injection',
        sum((act) => act.bare),
      ),
      never(
        'refused although a rule is known',
        sum((act) => (isKnown(act) ? act.refused : 0)),
      ),
      never(
        'stored, new or changed, although no rule is known',
        sum((act) => (isUnknown(act) ? act.tried - act.refused : 0)),
      ),
      atLeast(
        10 * WORKLOADS,
        'workloads created or changed',
        sum(({ tried }) => tried),
      ),
    ],
  };
}
