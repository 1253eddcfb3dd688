import { expect } from 'chai';

import type { Rule } from '../../../../core/policy/rule.ts';
import { plan } from '../../../../core/workload/plan.ts';
import type { Plan, Tracked } from '../../../../core/workload/plan.ts';
import type { RestartWish } from '../../../../core/workload/restarts.ts';
import { formatRequest } from '../../../../core/workload/request.ts';
import type { RequestKind } from '../../../../core/workload/request.ts';
import type { RolloutState } from '../../../../core/kinds.ts';
import type { State } from '../../../../core/workload/standing.ts';
import { annotation } from '../../../../core/injection/annotations.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { trackedWith } from '../../../support/example-tracked.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const HASH = 'bbbbbbbbbbbb';
const OTHER_HASH = 'aaaaaaaaaaaa';
const VERSIONS_HASH = 'cccccccccccc';
const MOVING: RolloutState = { phase: 'Progressing', paused: false, onDelete: false };

interface About extends Partial<Pick<Tracked, 'pending' | 'seenInjected' | 'fruitless'>> {
  readonly name?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly rollout?: Partial<RolloutState>;
  readonly writers?: Tracked['workload']['writers'];
  readonly restartPending?: boolean;
}

function one(state: State, about: About = {}): Tracked {
  const { name = 'web', annotations = {}, rollout = {}, writers = [], restartPending = false, ...rest } = about;
  return trackedWith(name, state, {
    workload: { annotations, rollout, writers },
    standing: { policy: { hash: HASH }, restartPending },
    ...rest,
  });
}

const requested = (kind: RequestKind, agoMs: number, attempt = 1, hash = HASH): Readonly<Record<string, string>> => ({
  [annotation.requested]: formatRequest({ kind, hash, attempt, time: NOW - agoMs }),
});
const manual = ruleWith({ hash: HASH });
const automatic = ruleWith({ hash: HASH, rollout: { strategy: 'Automatic', maxConcurrent: 1 } });
const planned = (rule: Rule, ...tracked: readonly Tracked[]): Plan => plan(rule, tracked, [], NOW);
const kindsOf = ({ actions }: Plan): readonly string[] =>
  actions.map(({ key, kind }) => `${kind} ${key.split('/')[2]}`);
const attemptOf = ({ actions }: Plan): string | undefined =>
  actions[0]?.annotations[annotation.requested]?.split('/')[2];

describe('the repair of a workload that was missed', () => {
  const ci = (agoMs: number): Tracked['workload']['writers'] => [
    { manager: 'ci', operation: 'Update', time: new Date(NOW - agoMs).toISOString(), template: true },
  ];

  it('is asked for at once, by an annotation that names rule, attempt and time', () => {
    const { actions, stalls } = planned(manual, one('Missed'));
    expect(actions.map(({ key, kind, annotations }) => ({ key, kind, annotations }))).to.deep.equal([
      {
        key: 'Deployment/shop/web',
        kind: 'Repair',
        annotations: { [annotation.requested]: `Repair/${HASH}/1/2026-01-01T12:00:00Z` },
      },
    ]);
    expect(stalls).to.deep.equal([]);
  });

  for (const state of ['Injected', 'Denied', 'Failed', 'Excluded'] as const) {
    it(`is nothing for one that is ${state}`, () => {
      expect(planned(automatic, one(state))).to.deep.equal({ actions: [], stalls: [], rolling: [] });
    });
  }

  it('waits for the result of what is in progress', () => {
    expect(planned(manual, one('Missed', { pending: true })).actions).to.deep.equal([]);
  });

  it('is asked for again later and later if it has no effect, at least every five minutes', () => {
    const waits = [0, 1, 2, 3, 9].map(
      (fruitless) => planned(manual, one('Missed', { fruitless, annotations: requested('Repair', 0) })).againInMs,
    );
    expect(waits).to.deep.equal([10_000, 20_000, 40_000, 80_000, 300_000]);
  });

  it('says that it has no effect, and goes on', () => {
    const away = one('Missed', { fruitless: 3, annotations: requested('Repair', 90_000) });
    const result = planned(manual, away);
    expect(result.stalls.map(({ reason }) => reason)).to.deep.equal(['RequestWithoutEffect']);
    expect(kindsOf(result)).to.deep.equal(['Repair web']);
    expect(attemptOf(result), 'nothing was undone').to.equal('1');
  });

  it('is another attempt after it was undone, seen by this process or by the fields of the template', () => {
    const annotations = requested('Repair', 60_000);
    expect(attemptOf(planned(manual, one('Missed', { annotations, seenInjected: true })))).to.equal('2');
    expect(attemptOf(planned(manual, one('Missed', { annotations, writers: ci(50_000) })))).to.equal('2');
    expect(attemptOf(planned(manual, one('Missed', { annotations, writers: ci(70_000) })))).to.equal('1');
  });

  const undone = { annotations: requested('Repair', 600_000, 3), writers: ci(500_000) };

  it('ends after three that were undone, and names who undid them', () => {
    const { actions, stalls, againInMs } = planned(manual, one('Missed', undone));
    expect({ actions, againInMs }).to.deep.equal({ actions: [], againInMs: undefined });
    expect(stalls.map(({ reason }) => reason)).to.deep.equal(['RepairUndone']);
    expect(stalls[0]?.message).to.contain('field manager ci (Update)');
  });

  it('is not counted together with one from days ago, unless that was the end of it', () => {
    const day = 86_400_000;
    const after = (agoMs: number, attempt: number): Tracked =>
      one('Missed', { annotations: requested('Repair', agoMs, attempt), writers: ci(60_000) });
    expect(attemptOf(planned(manual, after(day - 1_000, 2)))).to.equal('3');
    expect(attemptOf(planned(manual, after(day, 2)))).to.equal('1');
    const { actions, stalls } = planned(manual, after(30 * day, 3));
    expect([actions.length, stalls[0]?.reason]).to.deep.equal([0, 'RepairUndone']);
  });

  it('starts over under another rule, and when somebody asks for it', () => {
    const elsewhere = { ...undone, annotations: requested('Repair', 600_000, 3, OTHER_HASH) };
    expect(attemptOf(planned(manual, one('Missed', elsewhere)))).to.equal('1');
    const asked = { ...undone, annotations: { ...undone.annotations, [annotation.apply]: 'now' } };
    const result = planned(manual, one('Missed', asked));
    expect({ attempt: attemptOf(result), stalls: result.stalls }).to.deep.equal({ attempt: '1', stalls: [] });
  });
});

describe('the annotation apply', () => {
  const now = { annotations: { [annotation.apply]: 'now' } };

  it('rolls one workload under Manual, which rolls none by itself', () => {
    expect(kindsOf(planned(manual, one('Outdated', now), one('Outdated', { name: 'b' })))).to.deep.equal([
      'Rollout web',
    ]);
  });

  for (const rollout of [{ paused: true }, { onDelete: true }]) {
    it(`also counts if ${JSON.stringify(rollout)} holds the policy's own rollouts back`, () => {
      expect(kindsOf(planned(automatic, one('Outdated', { ...now, rollout })))).to.deep.equal(['Rollout web']);
      expect(kindsOf(planned(automatic, one('Outdated', { rollout })))).to.deep.equal([]);
    });
  }

  it('also counts if another one has failed', () => {
    const failed = one('Injected', {
      name: 'a',
      annotations: requested('Rollout', 60_000),
      rollout: { phase: 'Failed' },
    });
    expect(kindsOf(planned(automatic, failed, one('Outdated', now)))).to.deep.equal(['Rollout web']);
  });

  it('is removed once there is nothing more to apply', () => {
    for (const state of ['Injected', 'Failed', 'Excluded'] as const) {
      const { actions } = planned(manual, one(state, now));
      expect(actions.map(({ kind, annotations }) => ({ kind, annotations }))).to.deep.equal([
        { kind: 'ClearApply', annotations: { [annotation.apply]: null } },
      ]);
    }
  });

  it('is left if admission would deny the edit, or if it says something else', () => {
    expect(planned(manual, one('Denied', now)).actions).to.deep.equal([]);
    const later = { annotations: { [annotation.apply]: 'later' } };
    expect(planned(manual, one('Injected', later), one('Outdated', { ...later, name: 'b' })).actions).to.deep.equal([]);
  });
});

describe('a rollout', () => {
  it('is nothing under Manual', () => {
    expect(planned(manual, one('Outdated')).actions).to.deep.equal([]);
  });

  it('goes by name, as many at once as the policy says', () => {
    const two = ruleWith({ hash: HASH, rollout: { strategy: 'Automatic', maxConcurrent: 2 } });
    const all = ['c', 'a', 'b'].map((name) => one('Outdated', { name }));
    expect(kindsOf(planned(two, ...all))).to.deep.equal(['Rollout a', 'Rollout b']);
  });

  it('waits while pods are replaced, including those that the operator asked for before it was restarted', () => {
    const moving = one('Injected', { name: 'z', annotations: requested('Rollout', 60_000), rollout: MOVING });
    const { actions, rolling, againInMs } = planned(automatic, one('Outdated'), moving);
    expect({ actions, rolling, againInMs }).to.deep.equal({
      actions: [],
      rolling: ['Deployment/shop/z'],
      againInMs: 540_000,
    });
  });

  const failures: readonly [string, About, string][] = [
    ['the API server says so', { rollout: { phase: 'Failed', message: 'timed out' } }, 'timed out'],
    ['it takes longer than ten minutes', { rollout: MOVING, annotations: requested('Rollout', 601_000) }, '10 minutes'],
  ];
  for (const [when, about, message] of failures) {
    it(`stops when ${when}`, () => {
      const failed = one('Injected', { name: 'a', annotations: requested('Rollout', 60_000), ...about });
      const { actions, stalls } = planned(automatic, failed, one('Outdated'));
      expect(actions).to.deep.equal([]);
      expect(stalls.map(({ key, reason }) => `${key} ${reason}`)).to.deep.equal(['Deployment/shop/a RolloutFailed']);
      expect(stalls[0]?.message).to.contain(message);
    });
  }

  it('goes on when the rule changes, with the one that failed first of all', () => {
    const failed = {
      name: 'a',
      annotations: requested('Rollout', 60_000, 1, OTHER_HASH),
      rollout: { phase: 'Failed' },
    } as const;
    const { actions, stalls } = planned(automatic, one('Outdated', failed), one('Outdated'));
    expect({ asked: actions.map(({ key }) => key), stalls }).to.deep.equal({
      asked: ['Deployment/shop/a'],
      stalls: [],
    });
  });
});

describe('a restart for newer secrets', () => {
  const wish = (baselineOnly = false): RestartWish => ({
    key: 'Deployment/shop/web',
    versions: { 'secret/data/z': 2, 'secret/data/a': 7 },
    hash: VERSIONS_HASH,
    baselineOnly,
  });
  const wished = (tracked: Tracked, baselineOnly = false): Plan['actions'] =>
    plan(manual, [tracked], [wish(baselineOnly)], NOW).actions;
  const versions = '{"secret/data/a":7,"secret/data/z":2}';

  it('is one patch of request, restart and versions, under Manual too', () => {
    expect(wished(one('Injected')).map(({ kind, annotations }) => ({ kind, annotations }))).to.deep.equal([
      {
        kind: 'Restart',
        annotations: {
          [annotation.requested]: `Restart/${VERSIONS_HASH}/1/2026-01-01T12:00:00Z`,
          [annotation.restart]: VERSIONS_HASH,
          [annotation.versions]: versions,
        },
      },
    ]);
  });

  for (const rollout of [{ paused: true }, { onDelete: true }]) {
    it(`does not happen with ${JSON.stringify(rollout)}`, () => {
      expect(wished(one('Injected', { rollout }))).to.deep.equal([]);
    });
  }

  it('that did not reach the template is asked for again, with what is in the annotation', () => {
    const annotations = { ...requested('Restart', 10_000, 1, VERSIONS_HASH), [annotation.restart]: VERSIONS_HASH };
    const { actions, rolling } = planned(manual, one('Outdated', { annotations, restartPending: true }));
    expect(actions.map(({ kind }) => kind)).to.deep.equal(['Restart']);
    expect(actions[0]?.annotations).to.have.all.keys(annotation.requested);
    expect(rolling).to.deep.equal(['Deployment/shop/web']);
  });

  it('as a baseline only writes the versions, once, and only if the edit changes nothing else', () => {
    const [action] = wished(one('Injected'), true);
    expect(action?.kind).to.equal('Baseline');
    expect(action?.annotations).to.deep.equal({ [annotation.versions]: versions });
    expect(wished(one('Injected', { annotations: { [annotation.versions]: versions } }), true)).to.deep.equal([]);
    for (const state of ['Outdated', 'Excluded', 'Failed', 'Denied'] as const) {
      expect(wished(one(state), true), state).to.deep.equal([]);
    }
  });
});
