/** Many rotations of the webhook's authority while workloads change under a policy with failurePolicy Fail. */
import { Cluster } from '../integration/cluster.ts';
import { deployment, policy } from '../integration/manifests.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { rotateUnderLoad, tableOf } from '../support/rotations.ts';
import { startReplicas } from './replica-set.ts';
import type { ReplicaSet } from './replica-set.ts';
import { setting } from './setting.ts';
import { atLeast, never } from './table.ts';
import type { Report } from './table.ts';

const ROTATIONS = setting('CHAOS_ROTATIONS', 200);
const DEPLOYMENTS = ['one', 'two', 'three', 'four'];
const NAMESPACE = 'shop';
const MOST_TOLD = 3;

export async function playRotations(tell: (line: string) => void): Promise<Report[]> {
  const plane = await startControlPlane({ controllers: false });
  let replicas: ReplicaSet | undefined;
  try {
    replicas = await startReplicas({ plane, count: 2, bundled: true, flags: ['--certificate-wait', '1s'] });
    const cluster = new Cluster(plane);
    await cluster.namespace(NAMESPACE);
    await cluster.policy(policy(NAMESPACE, 'shop'));
    for (const name of DEPLOYMENTS) await cluster.apply(deployment(NAMESPACE, name));
    tell(`rotations: ${ROTATIONS} begin`);
    const operators = replicas.replicas.map(({ operator }) => operator);
    const load = { namespace: NAMESPACE, deployments: DEPLOYMENTS, rotations: ROTATIONS };
    const result = await rotateUnderLoad({ plane, operators, ...load });
    const failures = result.failures.slice(0, MOST_TOLD).map((failure) => `- ${failure}`);
    return [
      {
        title: 'Certificates that are replaced under load, two replicas',
        details: [tableOf(result), ...failures].join('\n'),
        aims: [
          never('failed reviews', result.failures.length),
          atLeast(ROTATIONS, 'rotations', result.durations.length),
          atLeast(ROTATIONS * DEPLOYMENTS.length, 'reviews', result.reviews),
        ],
      },
    ];
  } finally {
    await replicas?.close();
    await plane.stop();
  }
}
