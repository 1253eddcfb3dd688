import { expect } from 'chai';

import { annotation } from '../../../../core/injection/annotations.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { uncoveredBy, uncoveredKindsOf } from '../../../../core/workload/uncovered.ts';
import type { UncoveredWorkload } from '../../../../core/workload/uncovered.ts';
import { workloadOf } from '../../../../core/workload/workload.ts';
import { unusablePolicyOf } from '../../../../core/policy/governing.ts';
import type { Governor } from '../../../../core/policy/rule.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';

const REFERRING = { containers: [container()] };
const TEXT = { containers: [container({ env: [{ name: 'A', value: 'text' }] })] };

interface Made {
  readonly podSpec?: object;
  readonly annotations?: object;
  readonly owner?: object;
  readonly status?: object;
}

/** A Job with a reference. */
function job({ podSpec = REFERRING, annotations = {}, owner, status = {} }: Made = {}): KubernetesObject {
  const { spec } = deployment(podSpec);
  const ownerReferences = owner === undefined ? [] : [owner];
  const metadata = { name: 'dump', namespace: 'shop', labels: { app: 'web' }, annotations, ownerReferences };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec, status } as unknown as KubernetesObject;
}

const DEPLOYMENTS = ruleWith({ targets: ['Deployment'] });
const uncovered = (object: KubernetesObject, ...governors: readonly Governor[]): string | undefined =>
  uncoveredBy(workloadOf(object), object, snapshotOf(...governors));

describe('a workload whose kind no policy of the namespace names', () => {
  it('is told with the policy that would apply to it', () => {
    expect(uncovered(job(), DEPLOYMENTS)).to.equal('shop-secrets');
    expect(uncovered(job(), ruleWith({ targets: ['Job'] }))).to.equal(undefined);
    expect(uncovered(job())).to.equal(undefined);
  });

  it('is told of the policy that it names, and of none that its labels exclude', () => {
    const [first, second] = ['a', 'b'].map((name) => ruleWith({ targets: ['Deployment'], policy: { name } }));
    if (first === undefined || second === undefined) throw new Error('unreachable');
    expect(uncovered(job(), first, second)).to.equal('a');
    expect(uncovered(job({ annotations: { [annotation.policy]: 'b' } }), first, second)).to.equal('b');
    expect(uncovered(job({ annotations: { [annotation.policy]: 'c' } }), first, second)).to.equal(undefined);
    const other = ruleWith({ targets: ['Deployment'], selector: { matchLabels: { app: 'other' } } });
    expect(uncovered(job(), other)).to.equal(undefined);
  });

  const WINDOWS = { nodeSelector: { 'kubernetes.io/os': 'windows' } };
  const FINISHED = { conditions: [{ type: 'Complete', status: 'True' }] };
  const cronJob = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'dump', controller: true };
  const workflow = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', name: 'dump', controller: true };
  const table: readonly [what: string, made: Made, expected: string | undefined][] = [
    ['without a reference', { podSpec: TEXT }, undefined],
    ['that keeps itself out', { annotations: { [annotation.inject]: 'false' } }, undefined],
    ['that has finished', { status: FINISHED }, undefined],
    ['for another operating system', { podSpec: { ...REFERRING, ...WINDOWS } }, undefined],
    ['that a CronJob has made, which counts itself', { owner: cronJob }, undefined],
    ['that something else has made', { owner: workflow }, 'shop-secrets'],
    ['without containers', { podSpec: {} }, undefined],
  ];
  for (const [what, made, expected] of table)
    it(`${expected === undefined ? 'is not told: one' : 'is told: one'} ${what}`, () => {
      expect(uncovered(job(made), DEPLOYMENTS)).to.equal(expected);
    });

  it('is not told where the policy waits for an annotation, or means the variables to be text', () => {
    const waits = ruleWith({ targets: ['Deployment'], when: 'Annotation' });
    expect(uncovered(job(), waits)).to.equal(undefined);
    expect(uncovered(job({ annotations: { [annotation.inject]: 'true' } }), waits)).to.equal('shop-secrets');
    const literal = ruleWith({ targets: ['Deployment'], environment: { literals: ['DB_*'] } });
    expect(uncovered(job(), literal)).to.equal(undefined);
  });

  it('is told of a policy that cannot be used, by what can be read of it', () => {
    const metadata = { name: 'broken', namespace: 'shop', uid: 'u' };
    const broken = { apiVersion: 'v1', kind: 'x', metadata, spec: { targets: ['Deployment'] } };
    expect(uncovered(job(), unusablePolicyOf(broken, 'why'))).to.equal('broken');
    const unreadable = { ...broken, spec: { targets: ['Flower'] } };
    expect(uncovered(job(), unusablePolicyOf(unreadable, 'why'))).to.equal(undefined);
  });

  it('is counted by kind, in order, under its own policy alone, with what to do', () => {
    const found: readonly UncoveredWorkload[] = [
      { kind: 'Job', name: 'z', policy: 'a' },
      { kind: 'CronJob', name: 'b', policy: 'a' },
      { kind: 'Job', name: 'y', policy: 'a' },
      { kind: 'DaemonSet', name: 'c', policy: 'other' },
    ];
    const kinds = uncoveredKindsOf('a', found);
    expect(kinds.map(({ kind, count, example }) => [kind, count, example])).to.deep.equal([
      ['CronJob', 1, 'b'],
      ['Job', 2, 'y'],
    ]);
    expect(kinds[0]?.message).to.equal(
      'no policy of this namespace is for CronJobs, so their programs get the text of the references: ' +
        'add CronJob to spec.targets of this policy',
    );
  });
});
