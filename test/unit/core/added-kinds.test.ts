import { expect } from 'chai';

import { kindsWith, PRESETS } from '../../../core/added-kinds.ts';
import { isInjected } from '../../../core/injection/injected.ts';
import { mutateWorkload } from '../../../core/injection/mutate.ts';
import type { RawObject } from '../../../core/json.ts';
import { keepsPods, kindOf, KINDS, makerOf, rolloutStateOf, templateOf } from '../../../core/kinds.ts';
import type { KubernetesObject } from '../../../core/object.ts';
import type { RolloutState } from '../../../core/rollout-state.ts';
import { uncoveredBy, uncoveredKindsOf } from '../../../core/workload/uncovered.ts';
import { workloadOf } from '../../../core/workload/workload.ts';
import { RuleCache } from '../../../operator/policies/rule-cache.ts';
import { applyPatch } from '../../support/apply-patch.ts';
import { ruleWith, snapshotOf } from '../../support/example-rule.ts';
import { container, deployment } from '../../support/example-workload.ts';

const { ArgoRollout, CloneSet, KnativeService } = PRESETS;
if (!ArgoRollout || !CloneSet || !KnativeService) throw new Error('a preset is missing');
const ALL = kindsWith([ArgoRollout, CloneSet, KnativeService]);
const ROLLOUT = 'Rollout.argoproj.io';
const CLONES = 'CloneSet.apps.kruise.io';
const SERVICE = 'Service.serving.knative.dev';

/** An object whose controller is this one. */
function madeBy(apiVersion: string, kind: string, labels: Record<string, string> = {}): RawObject {
  return { metadata: { labels, ownerReferences: [{ apiVersion, kind, name: 'x', controller: true }] } };
}

describe('the kinds that the setting templates adds', () => {
  it('come after the built-in ones, under their kind and group', () => {
    expect(Object.keys(ALL)).to.deep.equal([...Object.keys(KINDS), ROLLOUT, CLONES, SERVICE]);
    expect(kindsWith([])).to.equal(KINDS);
    expect(kindOf('argoproj.io', 'v1alpha1', 'Rollout', ALL)).to.equal(ROLLOUT);
    expect(kindOf('argoproj.io', 'v1alpha1', 'Rollout')).to.equal(undefined);
    expect(kindOf('', 'v1', 'Service', ALL), 'of another group').to.equal(undefined);
  });

  it('have their template where the entry says', () => {
    const deep = { ...ArgoRollout, template: 'spec.forProvider.template' };
    const template = { spec: {} };
    const object = { spec: { forProvider: { template } } };
    expect(templateOf(ROLLOUT, object, kindsWith([deep]))).to.equal(template);
  });

  it('are reviewed where no policy names them, also with an owner', () => {
    const { spec } = deployment({ containers: [container()] });
    const ownerReferences = [{ apiVersion: 'example.com/v1', kind: 'Shop', name: 'x', controller: true }];
    const object = { metadata: { name: 'web', labels: { app: 'web' }, ownerReferences }, spec };
    const rules = snapshotOf(ruleWith({ targets: ['Deployment'] }));
    const reviewed = mutateWorkload({ kind: ROLLOUT, kinds: ALL, namespace: 'shop', name: 'web', object, rules });
    expect(reviewed.outcome).to.equal('NoPolicy');
    expect(reviewed.warnings.join()).to.contain(`add ${ROLLOUT} to targets`);
  });

  it('are told where no policy of the namespace names them', () => {
    const { spec } = deployment({ containers: [container()] });
    const metadata = { name: 'web', namespace: 'shop', labels: { app: 'web' } };
    const object = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', metadata, spec } as KubernetesObject;
    const rules = snapshotOf(ruleWith({ targets: ['Deployment'] }));
    expect(uncoveredBy(workloadOf(object, ALL), object, rules)).to.equal('shop-secrets');
    const [told] = uncoveredKindsOf('shop-secrets', [{ kind: ROLLOUT, name: 'web', policy: 'shop-secrets' }]);
    expect(told?.message).to.contain('no policy of this namespace is for Rollouts.argoproj.io,');
  });

  describe('as makers', () => {
    const pods: readonly [what: string, object: RawObject, maker: string | undefined][] = [
      ['a Rollout', madeBy('apps/v1', 'ReplicaSet', { 'rollouts-pod-template-hash': 'a' }), ROLLOUT],
      ['a Deployment', madeBy('apps/v1', 'ReplicaSet', { 'pod-template-hash': 'a' }), 'Deployment'],
      ['a ReplicaSet', madeBy('apps/v1', 'ReplicaSet'), 'ReplicaSet'],
      ['a CloneSet', madeBy('apps.kruise.io/v1alpha1', 'CloneSet'), CLONES],
      ['a Workflow of the group of Rollouts', madeBy('argoproj.io/v1alpha1', 'Workflow'), 'Other'],
      ['nobody', { metadata: {} }, undefined],
    ];
    for (const [what, object, maker] of pods) {
      it(`make ${String(maker)} of a pod that is made by ${what}`, () => {
        expect(makerOf('Pod', object, ALL)).to.equal(maker);
      });
    }

    it('leave no pod of a Rollout to a ReplicaSet, where Rollouts are not known', () => {
      expect(makerOf('Pod', madeBy('apps/v1', 'ReplicaSet', { 'rollouts-pod-template-hash': 'a' }))).to.equal('Other');
    });

    it('leave ReplicaSets of a Rollout to it, also where it is not known', () => {
      const object = madeBy('argoproj.io/v1alpha1', 'Rollout');
      expect(makerOf('ReplicaSet', object, ALL)).to.equal(ROLLOUT);
      expect(makerOf('ReplicaSet', object)).to.equal('Other');
    });

    it('are told of a Deployment that a Revision of Knative has made, which otherwise counts by itself', () => {
      const object = madeBy('serving.knative.dev/v1', 'Revision');
      expect(makerOf('Deployment', object, ALL)).to.equal(SERVICE);
      expect(makerOf('Deployment', object)).to.equal(undefined);
      expect(makerOf('Deployment', madeBy('example.com/v1', 'Database'), ALL)).to.equal(undefined);
    });
  });

  describe('in admission', () => {
    const bare = deployment({
      containers: [container({ env: [{ name: 'PASSWORD', value: 'vault:secret/data/shop/db#password' }] })],
    }) as unknown as RawObject;
    const rollout = { ...bare, apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout' };

    function admitted(kind: string, object: RawObject, targets: readonly string[]) {
      const rules = new RuleCache();
      rules.set(ruleWith({ targets }));
      return mutateWorkload({ kind, kinds: ALL, namespace: 'shop', name: 'web', object, rules: rules.snapshot() });
    }

    it('are injected by a policy that names them, and restored by none', () => {
      const { outcome, patch } = admitted(ROLLOUT, rollout, [ROLLOUT]);
      expect(outcome).to.equal('Injected');
      const injected = applyPatch(rollout, patch) as RawObject;
      expect(isInjected(ROLLOUT, injected, ALL)).to.equal(true);
      expect(admitted(ROLLOUT, injected, [ROLLOUT]).patch, 'again').to.deep.equal([]);
      const back = admitted(ROLLOUT, injected, ['Deployment']);
      expect(back.outcome).to.equal('Restored');
      expect(applyPatch(injected, back.patch)).to.deep.equal(rollout);
    });

    it('are left alone by a policy for other kinds', () => {
      expect(admitted(ROLLOUT, rollout, ['Deployment'])).to.include({ outcome: 'NoPolicy' });
    });

    it('are injected at one level alone: a Deployment of a Revision is left to the Service', () => {
      const { metadata } = madeBy('serving.knative.dev/v1', 'Revision');
      const made = { ...bare, metadata: { ...(bare.metadata as object), ...(metadata as object) } };
      for (const targets of [['Deployment', SERVICE], ['Deployment']]) {
        expect(admitted('Deployment', made, targets).outcome).to.equal('NoPolicy');
      }
      const service = applyPatch(bare, admitted(SERVICE, bare, [SERVICE]).patch) as RawObject;
      const copied = { ...service, metadata: made.metadata };
      expect(isInjected(SERVICE, service, ALL)).to.equal(true);
      expect(admitted('Deployment', copied, ['Deployment'])).to.deep.include({ outcome: 'Unchanged', patch: [] });
    });
  });

  describe('roll out', () => {
    type Row = [what: string, kind: string, spec: RawObject, status: RawObject, state: Partial<RolloutState>];
    const counts = { replicas: 2, updatedReplicas: 2, availableReplicas: 2, readyReplicas: 2 };
    const clones = { ...counts, observedGeneration: 3, expectedUpdatedReplicas: 2, updatedAvailableReplicas: 2 };
    const ready = (status: string, message = ''): RawObject => ({ conditions: [{ type: 'Ready', status, message }] });
    const rows: readonly Row[] = [
      ['healthy', ROLLOUT, {}, { ...counts, observedGeneration: '3', phase: 'Healthy' }, { phase: 'Complete' }],
      ['not seen yet', ROLLOUT, {}, { ...counts, observedGeneration: '2', phase: 'Healthy' }, { phase: 'Progressing' }],
      [
        'seen by a hash',
        ROLLOUT,
        {},
        { ...counts, observedGeneration: '5d4c', phase: 'Healthy' },
        { phase: 'Progressing' },
      ],
      [
        'on its way',
        ROLLOUT,
        {},
        { ...counts, observedGeneration: '3', phase: 'Progressing' },
        { phase: 'Progressing', paused: false },
      ],
      [
        'at a step',
        ROLLOUT,
        {},
        { ...counts, observedGeneration: '3', phase: 'Paused' },
        { phase: 'Progressing', paused: true },
      ],
      ['paused', ROLLOUT, { paused: true }, { ...counts, observedGeneration: '3', phase: 'Healthy' }, { paused: true }],
      [
        'degraded',
        ROLLOUT,
        {},
        { ...counts, observedGeneration: '3', phase: 'Degraded', message: 'aborted' },
        { phase: 'Failed', message: 'aborted' },
      ],
      ['without status', ROLLOUT, {}, {}, { phase: 'Progressing', started: false, available: false }],
      ['updated', CLONES, { replicas: 2 }, clones, { phase: 'Complete', started: true, onDelete: false }],
      ['not available', CLONES, { replicas: 2 }, { ...clones, updatedAvailableReplicas: 1 }, { phase: 'Progressing' }],
      [
        'with a partition',
        CLONES,
        { replicas: 2 },
        { ...clones, updatedReplicas: 1, expectedUpdatedReplicas: 1, updatedAvailableReplicas: 1 },
        { phase: 'Complete' },
      ],
      [
        'without a partition',
        CLONES,
        { replicas: 2 },
        { ...clones, updatedReplicas: 1, updatedAvailableReplicas: 1 },
        { phase: 'Progressing' },
      ],
      ['paused', CLONES, { updateStrategy: { paused: true } }, clones, { paused: true }],
      ['in place only', CLONES, { updateStrategy: { type: 'InPlaceOnly' } }, clones, { onDelete: true }],
      [
        'ready',
        SERVICE,
        {},
        { observedGeneration: 3, ...ready('True') },
        { phase: 'Complete', started: true, available: true },
      ],
      [
        'ready before',
        SERVICE,
        {},
        { observedGeneration: 2, ...ready('True') },
        { phase: 'Progressing', started: false },
      ],
      ['unknown', SERVICE, {}, { observedGeneration: 3, ...ready('Unknown') }, { phase: 'Progressing' }],
      [
        'not ready',
        SERVICE,
        {},
        { observedGeneration: 3, ...ready('False', 'no image') },
        { phase: 'Failed', message: 'no image' },
      ],
    ];
    for (const [what, kind, spec, status, state] of rows) {
      it(`as ${JSON.stringify(state)}: ${kind} ${what}`, () => {
        expect(rolloutStateOf(kind, { metadata: { generation: 3 }, spec, status }, ALL)).to.deep.include(state);
      });
    }

    it('with pods that stay, unless all may go at once', () => {
      expect(keepsPods(ROLLOUT, { spec: { strategy: { canary: {} } } }, ALL)).to.equal(true);
      expect(keepsPods(ROLLOUT, { spec: { strategy: { canary: { maxUnavailable: '100%' } } } }, ALL)).to.equal(false);
      expect(keepsPods(ROLLOUT, { spec: { replicas: 2, strategy: { canary: { maxUnavailable: 2 } } } }, ALL)).to.equal(
        false,
      );
      expect(keepsPods(CLONES, { spec: {} }, ALL)).to.equal(true);
      expect(keepsPods(CLONES, { spec: { updateStrategy: { maxUnavailable: '100%' } } }, ALL)).to.equal(false);
    });
  });
});
