import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import { partsOfWorkloadKey, workloadKey, workloadOf } from '../../../../core/workload/workload.ts';
import { container, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

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

describe('what is kept of a workload', () => {
  it('has nothing of its template', () => {
    const kept = workloadOf(stored(deployment({ containers: [container(IDLE)], affinity: { podAffinity: {} } })));
    const text = JSON.stringify(kept);
    for (const field of ['containers', 'registry.example.com', ...Object.keys(IDLE), 'affinity', 'managedFields']) {
      expect(text).not.to.contain(field);
    }
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
