import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import { partsOfWorkloadKey, workloadKey, workloadOf } from '../../../../core/workload/workload.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import { admitted } from '../../../support/admitted.ts';
import { snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment, templateOf } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';
import { Random } from '../../../support/random.ts';
import { randomRule, randomWorkload } from '../../../support/random-workload.ts';

const HTTP_PROBE = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 };
const IDLE = {
  ports: [{ containerPort: 8080 }],
  resources: { limits: { memory: '1Gi' } },
  securityContext: { runAsNonRoot: true },
  terminationMessagePolicy: 'File',
  readinessProbe: HTTP_PROBE,
};

/** As a list of the API server brings it. */
function stored({ metadata, ...rest }: Workload, more: object = {}): KubernetesObject {
  const known = { name: 'web', namespace: 'shop', uid: 'u-1', resourceVersion: '7', generation: 3 };
  return { apiVersion: 'apps/v1', kind: 'Deployment', ...rest, metadata: { ...known, ...metadata, ...more } };
}

function judged(object: unknown, random: Random): MutationResult {
  const rules = snapshotOf(randomRule(random));
  return mutateWorkload({ kind: 'Deployment', namespace: 'shop', name: 'web', object, rules, detailed: true });
}

/** What the inventory goes by: of the patch, whether there is one. */
function verdict({ patch, ...rest }: MutationResult): object {
  return { ...rest, isPatched: patch.length > 0 };
}

describe('what is kept of a workload', () => {
  it('is judged as the whole one, by the rule that injected it and by another', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const random = new Random(seed);
      const workload = randomWorkload(random);
      for (const app of templateOf(workload).spec.containers) Object.assign(app, { ...IDLE, ...app });
      const live = random.chance(0.7) ? admitted(workload, randomRule(random)) : workload;
      const object = stored(live);
      const by = seed * 1_000 + random.upTo(9);
      const slim = JSON.parse(workloadOf(object).text) as unknown;
      expect(verdict(judged(slim, new Random(by))), `seed ${seed}`).to.deep.equal(
        verdict(judged(object, new Random(by))),
      );
    }
  });

  it('has nothing that no decision reads', () => {
    const { text } = workloadOf(stored(deployment({ containers: [container(IDLE)], affinity: { podAffinity: {} } })));
    for (const field of [...Object.keys(IDLE), 'affinity', 'managedFields']) expect(text).not.to.contain(field);
  });

  it('has our annotations and no others, and none of the names of others', () => {
    const annotations = { 'vaultinjection.dev/apply': 'now', 'example.com/secret': 'hunter2' };
    const kept = workloadOf(stored(deployment({ containers: [container()] }), { annotations }));
    expect(kept.annotations).to.deep.equal({ 'vaultinjection.dev/apply': 'now' });
    expect(JSON.stringify(kept)).not.to.contain('hunter2');
  });

  it('has its writers, the newest first, at most eight, without those of subresources', () => {
    const entry = (manager: string, minute: number, more: object = {}): object => ({
      manager,
      operation: 'Update',
      time: `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`,
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
      ...more,
    });
    const template = { operation: 'Apply', fieldsV1: { 'f:spec': { 'f:template': {} } } };
    const managedFields = [
      ...Array.from({ length: 20 }, (_, index) => entry(`m${index}`, index)),
      entry('ci', 59, template),
      entry('kube-controller-manager', 58, { subresource: 'status' }),
    ];
    const { writers } = workloadOf(stored(deployment({ containers: [container()] }), { managedFields }));
    expect(writers.map(({ manager }) => manager)).to.deep.equal([
      'ci',
      'm19',
      'm18',
      'm17',
      'm16',
      'm15',
      'm14',
      'm13',
    ]);
    expect(writers[0]).to.deep.include({ operation: 'Apply', time: '2026-01-01T00:59:00Z', template: true });
    expect(writers[1]?.template).to.equal(false);
  });

  it('is identified by kind, namespace and name', () => {
    const key = workloadKey(workloadOf(stored(deployment({ containers: [] }))));
    expect(key).to.equal('Deployment/shop/web');
    expect(partsOfWorkloadKey(key)).to.deep.equal({ kind: 'Deployment', namespace: 'shop', name: 'web' });
  });
});
