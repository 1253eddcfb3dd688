import { expect } from 'chai';

import type { RawObject } from '../../../core/json.ts';
import { keepsPods, rolloutStateOf } from '../../../core/kinds.ts';
import type { RolloutState } from '../../../core/kinds.ts';

type Phase = RolloutState['phase'];

const progressing = (reason: string, status = 'True'): object => ({
  conditions: [
    { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
    { type: 'Progressing', status, reason, message: `ReplicaSet "web-1" ${reason}` },
  ],
});
const counts = (replicas: number, updatedReplicas: number, availableReplicas: number): object => ({
  replicas,
  updatedReplicas,
  availableReplicas,
});

describe('how far the rollout of a Deployment is', () => {
  const cases: readonly [string, object, object, Phase][] = [
    ['just created: no status yet', {}, { observedGeneration: undefined }, 'Progressing'],
    ['its controller has not seen the new template', {}, { observedGeneration: 2, ...counts(2, 2, 2) }, 'Progressing'],
    ['the first new pod starts', {}, { ...counts(3, 1, 2), ...progressing('ReplicaSetUpdated') }, 'Progressing'],
    ['old pods are still there', {}, { ...counts(3, 2, 3), ...progressing('ReplicaSetUpdated') }, 'Progressing'],
    ['a new pod is not ready', {}, { ...counts(2, 2, 1), ...progressing('ReplicaSetUpdated') }, 'Progressing'],
    ['all are new and available', {}, { ...counts(2, 2, 2), ...progressing('NewReplicaSetAvailable') }, 'Complete'],
    ['a pod fails afterwards', {}, { ...counts(2, 2, 1), ...progressing('NewReplicaSetAvailable') }, 'Complete'],
    ['scaled up', { replicas: 5 }, { ...counts(2, 2, 2), ...progressing('NewReplicaSetAvailable') }, 'Complete'],
    ['scaled to 0', { replicas: 0 }, {}, 'Complete'],
    ['its deadline is over', {}, { ...counts(3, 1, 2), ...progressing('ProgressDeadlineExceeded', 'False') }, 'Failed'],
    [
      'its deadline was over for the template before',
      {},
      { observedGeneration: 2, ...counts(3, 1, 2), ...progressing('ProgressDeadlineExceeded', 'False') },
      'Progressing',
    ],
    ['without a deadline, stuck', {}, counts(3, 1, 2), 'Progressing'],
  ];
  for (const [what, spec, status, phase] of cases) {
    it(`${what}: ${phase}`, () => {
      const object = {
        metadata: { generation: 3 },
        spec: { replicas: 2, ...spec },
        status: { observedGeneration: 3, ...status },
      };
      expect(rolloutStateOf('Deployment', object).phase).to.equal(phase);
    });
  }

  it('says what the API server says about a failure', () => {
    const status = { observedGeneration: 3, ...progressing('ProgressDeadlineExceeded', 'False') };
    expect(rolloutStateOf('Deployment', { metadata: { generation: 3 }, spec: {}, status }).message).to.equal(
      'ReplicaSet "web-1" ProgressDeadlineExceeded',
    );
  });

  it('tells that it is paused', () => {
    const object = { metadata: { generation: 1 }, spec: { paused: true }, status: { observedGeneration: 1 } };
    expect(rolloutStateOf('Deployment', object)).to.include({ paused: true, onDelete: false });
  });
});

describe('how far the rollout of a StatefulSet is', () => {
  const moving = { currentRevision: 'web-1', updateRevision: 'web-2' };
  const done = { currentRevision: 'web-2', updateRevision: 'web-2' };
  const rolling = (partition: number): object => ({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
  });
  const cases: readonly [string, object, object, Phase][] = [
    ['just created: no status yet', {}, { observedGeneration: undefined }, 'Progressing'],
    [
      'its controller has not seen the new template',
      {},
      { observedGeneration: 2, ...counts(3, 3, 3), ...done },
      'Progressing',
    ],
    ['two of three are new', {}, { ...counts(3, 2, 3), ...moving }, 'Progressing'],
    ['all are new, one is not available', {}, { ...counts(3, 3, 2), ...moving }, 'Progressing'],
    ['all are new and available', {}, { ...counts(3, 3, 3), ...done }, 'Complete'],
    ['a pod fails afterwards', {}, { ...counts(3, 3, 2), ...done }, 'Complete'],
    ['scaled up', { replicas: 5 }, { ...counts(3, 3, 3), ...done }, 'Complete'],
    ['scaled to 0', { replicas: 0 }, { ...counts(0, 0, 0), ...moving }, 'Complete'],
    ['those above the partition are new', rolling(2), { ...counts(3, 1, 3), ...moving }, 'Complete'],
    ['one above the partition is old', rolling(1), { ...counts(3, 1, 3), ...moving }, 'Progressing'],
    ['a partition above all', rolling(9), { ...counts(3, 0, 3), ...moving }, 'Complete'],
  ];
  for (const [what, spec, status, phase] of cases) {
    it(`${what}: ${phase}`, () => {
      const object = {
        metadata: { generation: 3 },
        spec: { replicas: 3, ...spec },
        status: { observedGeneration: 3, ...status },
      };
      expect(rolloutStateOf('StatefulSet', object).phase).to.equal(phase);
    });
  }

  it('tells that its pods are replaced by hand', () => {
    const object = { metadata: { generation: 1 }, spec: { updateStrategy: { type: 'OnDelete' } }, status: {} };
    expect(rolloutStateOf('StatefulSet', object)).to.include({ paused: false, onDelete: true });
  });
});

describe('how far the rollout of a DaemonSet is', () => {
  const nodes = (desired: number, updated: number, available: number): object => ({
    desiredNumberScheduled: desired,
    updatedNumberScheduled: updated,
    numberAvailable: available,
    numberReady: available,
  });
  const cases: readonly [string, object, Phase, Partial<RolloutState>][] = [
    ['just created: no status yet', { observedGeneration: undefined }, 'Progressing', { idle: false, started: false }],
    ['the controller has not seen the new template', { observedGeneration: 2, ...nodes(3, 3, 3) }, 'Progressing', {}],
    ['one of three nodes has a new pod', nodes(3, 1, 2), 'Progressing', { idle: false }],
    ['all are new, one is not available', nodes(3, 3, 2), 'Progressing', { available: false }],
    ['all are new and available', nodes(3, 3, 3), 'Complete', { available: true, started: true }],
    ['there is no node for it', nodes(0, 0, 0), 'Complete', { idle: true, started: false }],
    ['no pod of it works', nodes(3, 3, 0), 'Progressing', { idle: true }],
  ];
  for (const [what, status, phase, more] of cases) {
    it(`${what}: ${phase}`, () => {
      const object = { metadata: { generation: 3 }, spec: {}, status: { observedGeneration: 3, ...status } };
      expect(rolloutStateOf('DaemonSet', object)).to.include({ phase, ...more });
    });
  }

  it('tells that its pods are replaced by hand, and whether all of them would go at once', () => {
    const byHand = { metadata: { generation: 1 }, spec: { updateStrategy: { type: 'OnDelete' } }, status: {} };
    expect(rolloutStateOf('DaemonSet', byHand)).to.include({ onDelete: true });
    const rolling = (maxUnavailable: number | string): object => ({
      spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } } },
    });
    expect(keepsPods('DaemonSet', {})).to.equal(true);
    expect(keepsPods('DaemonSet', rolling('50%') as RawObject)).to.equal(true);
    expect(keepsPods('DaemonSet', rolling('100%') as RawObject)).to.equal(false);
  });
});

describe('kinds whose pods are not replaced', () => {
  it('have no rollout', () => {
    for (const kind of ['CronJob', 'Job', 'Pod'] as const)
      expect(rolloutStateOf(kind, {})).to.include({
        phase: 'Complete',
        paused: false,
        onDelete: false,
        started: false,
      });
  });

  it('are idle between two runs, so that a change waits for nothing; a Job that runs is not', () => {
    expect(rolloutStateOf('CronJob', { status: { active: [{ name: 'it-1' }] } })).to.include({ idle: true });
    expect(rolloutStateOf('Job', { status: { active: 1 } })).to.include({ idle: false });
  });

  it('say when a Job has ended, well or not', () => {
    const ended = (type: string, status: string): RolloutState =>
      rolloutStateOf('Job', {
        status: {
          conditions: [
            { type: 'Suspended', status: 'False' },
            { type, status },
          ],
        },
      });
    expect(ended('Complete', 'True').finished).to.equal(true);
    expect(ended('Failed', 'True').finished).to.equal(true);
    expect(ended('Complete', 'False').finished).to.equal(undefined);
    expect(ended('FailureTarget', 'True').finished).to.equal(undefined);
  });

  it('leave the pods of a ReplicaSet to people, who delete them', () => {
    const status = { replicas: 2, readyReplicas: 2, availableReplicas: 2, observedGeneration: 1 };
    const object = { metadata: { generation: 1 }, spec: { replicas: 2 }, status };
    for (const kind of ['ReplicaSet', 'ReplicationController'] as const) {
      expect(rolloutStateOf(kind, object)).to.include({ onDelete: true, available: true, idle: false });
      expect(rolloutStateOf(kind, { ...object, status: { observedGeneration: 1 } })).to.include({ idle: true });
    }
  });
});

describe('whether pods of the newest template have started', () => {
  const started = (kind: 'Deployment' | 'StatefulSet', spec: object, status: object): boolean =>
    rolloutStateOf(kind, { metadata: { generation: 3 }, spec, status: { observedGeneration: 3, ...status } }).started;
  const revisions = { currentRevision: 'web-1', updateRevision: 'web-2' };

  for (const kind of ['Deployment', 'StatefulSet'] as const) {
    it(`they have when all that there should be are available: ${kind}`, () => {
      expect(started(kind, { replicas: 2 }, counts(2, 2, 2))).to.equal(true);
      expect(started(kind, {}, counts(1, 1, 1)), 'one by default').to.equal(true);
      expect(started(kind, { replicas: 2 }, counts(2, 2, 1)), 'one is not').to.equal(false);
      expect(started(kind, { replicas: 2 }, { ...counts(2, 1, 2), ...revisions }), 'one is old').to.equal(false);
    });

    it(`they have not where there is none, or nobody has seen the template: ${kind}`, () => {
      expect(started(kind, { replicas: 0 }, counts(0, 0, 0))).to.equal(false);
      expect(started(kind, { replicas: 0 }, counts(1, 1, 1)), 'scaled to 0').to.equal(false);
      expect(started(kind, { replicas: 2 }, {})).to.equal(false);
      expect(started(kind, { replicas: 2 }, { ...counts(2, 2, 2), observedGeneration: 2 })).to.equal(false);
    });
  }

  it('they have not where a rollout is paused, or its deadline has passed', () => {
    const failed = { conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] };
    expect(started('Deployment', { replicas: 2 }, { ...counts(2, 2, 2), ...failed })).to.equal(false);
    expect(started('Deployment', { replicas: 2, paused: true }, counts(2, 0, 2))).to.equal(false);
  });

  it('they have not while a partition, or the deletion by hand, keeps all pods as they were', () => {
    const rolling = (partition: number): object => ({
      replicas: 3,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
    });
    expect(started('StatefulSet', rolling(3), { ...counts(3, 0, 3), ...revisions })).to.equal(false);
    expect(started('StatefulSet', rolling(2), { ...counts(3, 1, 3), ...revisions })).to.equal(true);
    const byHand = { replicas: 3, updateStrategy: { type: 'OnDelete' } };
    expect(started('StatefulSet', byHand, { ...counts(3, 0, 3), ...revisions })).to.equal(false);
  });
});

describe('whether a workload has a pod that works', () => {
  const idle = (kind: 'Deployment' | 'StatefulSet', spec: object, status: object, generation = 3): boolean =>
    rolloutStateOf(kind, { metadata: { generation }, spec, status: { observedGeneration: 3, ...status } }).idle;

  for (const kind of ['Deployment', 'StatefulSet'] as const) {
    it(`is what its controller counts: ${kind}`, () => {
      expect(idle(kind, { replicas: 2 }, counts(2, 2, 0))).to.equal(true);
      expect(idle(kind, { replicas: 2 }, { replicas: 2 }), 'zero is left out').to.equal(true);
      expect(idle(kind, { replicas: 2 }, counts(2, 1, 1))).to.equal(false);
      expect(idle(kind, { replicas: 0 }, {}), 'scaled to 0').to.equal(true);
      expect(idle(kind, { replicas: 0 }, counts(1, 1, 1)), 'its last pod is still there').to.equal(false);
    });

    it(`is unknown until the controller has seen the newest spec: ${kind}`, () => {
      expect(idle(kind, { replicas: 2 }, counts(2, 2, 0), 4)).to.equal(false);
      expect(rolloutStateOf(kind, { metadata: { generation: 1 }, spec: {}, status: {} }).idle).to.equal(false);
    });
  }

  it('shows that the pods of a rollout have come further', () => {
    const progress = (status: object): string =>
      rolloutStateOf('StatefulSet', { metadata: { generation: 1 }, spec: {}, status }).progress;
    expect(progress({ updatedReplicas: 1 })).not.to.equal(progress({ updatedReplicas: 2 }));
    expect(progress({ readyReplicas: 1 })).not.to.equal(progress({ availableReplicas: 1 }));
    expect(progress({ replicas: 1 })).to.equal(progress({ observedGeneration: 7 }));
  });
});
