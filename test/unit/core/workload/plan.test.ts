import { expect } from 'chai';

import type { Rule } from '../../../../core/policy/rule.ts';
import { plan, REQUEST_FIELD_MANAGER } from '../../../../core/workload/plan.ts';
import type { Plan, Tracked } from '../../../../core/workload/plan.ts';
import type { RestartWish } from '../../../../core/workload/restarts.ts';
import { formatRequest } from '../../../../core/workload/request.ts';
import type { RequestKind } from '../../../../core/workload/request.ts';
import type { RolloutState, WorkloadKind } from '../../../../core/kinds.ts';
import type { ReasonCode } from '../../../../core/reasons.ts';
import type { State } from '../../../../core/workload/standing.ts';
import { annotation } from '../../../../core/injection/annotations.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { trackedWith } from '../../../support/example-tracked.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const HASH = 'bbbbbbbbbbbb';
const OTHER_HASH = 'aaaaaaaaaaaa';
const VERSIONS_HASH = 'cccccccccccc';
const MOVING: Partial<RolloutState> = { phase: 'Progressing' };
const NOTHING: Plan = { actions: [], stalls: [], rolling: [], stuck: 0, isWaiting: false };

interface About extends Partial<Pick<Tracked, 'pending' | 'seenInjected' | 'fruitless' | 'ages'>> {
  readonly name?: string;
  readonly kind?: WorkloadKind;
  readonly reason?: ReasonCode;
  readonly writtenAt?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly rollout?: Partial<RolloutState>;
  readonly writers?: Tracked['workload']['writers'];
  readonly restartPending?: boolean;
}

function one(state: State, about: About = {}): Tracked {
  const { name = 'web', kind = 'Deployment', annotations = {}, rollout = {}, writers = [], writtenAt = 0 } = about;
  const { reason, restartPending = false, pending = false, seenInjected = false, fruitless = 0, ages } = about;
  const rest = { pending, seenInjected, fruitless, ...(ages && { ages }) };
  return trackedWith(name, state, {
    workload: { kind, annotations, rollout, writers, writtenAt },
    standing: { policy: { hash: HASH }, restartPending, ...(reason && { reason }) },
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
      expect(planned(automatic, one(state))).to.deep.equal(NOTHING);
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
    const rolled = planned(automatic, failed, one('Outdated', now));
    expect(kindsOf(rolled)).to.deep.equal(['Rollout web']);
    expect(rolled.actions[0]?.message).to.equal('asked admission to inject it as generation 1 of the policy says');
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
      // when it would make no progress for ten minutes
      againInMs: 540_000,
    });
  });

  const failures: readonly [string, About, string][] = [
    ['the API server says so', { rollout: { phase: 'Failed', message: 'timed out' } }, 'timed out'],
    [
      'its pods make no progress for ten minutes, and its controller has no deadline',
      { kind: 'StatefulSet', rollout: MOVING, annotations: requested('Rollout', 601_000) },
      '10 minutes',
    ],
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

  it('does not fail while the controller of Deployments still waits, however long that is', () => {
    const slow = one('Injected', { annotations: requested('Rollout', 7_200_000), rollout: MOVING });
    expect(planned(automatic, slow, one('Outdated', { name: 'b' }))).to.deep.include({ actions: [], stalls: [] });
  });

  it('of a StatefulSet does not fail while its pods make progress', () => {
    const about = (quietMs: number): About => ({
      kind: 'StatefulSet',
      annotations: requested('Rollout', 7_200_000),
      rollout: MOVING,
      ages: { requestMs: 7_200_000, templateMs: 7_200_000, quietMs, steadyMs: 0, brokenMs: 0 },
    });
    const slow = planned(automatic, one('Injected', about(540_000)));
    expect({ stalls: slow.stalls, againInMs: slow.againInMs }).to.deep.equal({ stalls: [], againInMs: 60_000 });
    expect(planned(automatic, one('Injected', about(600_000))).stalls.map(({ reason }) => reason)).to.deep.equal([
      'RolloutFailed',
    ]);
  });

  it('is not begun beyond the slots of the whole cluster, which repairs and apply=now do not need', () => {
    const three = ruleWith({ hash: HASH, rollout: { strategy: 'Automatic', maxConcurrent: 3 } });
    const all = ['a', 'b', 'c'].map((name) => one('Outdated', { name }));
    const within = (slots: number, ...more: Tracked[]): Plan => plan(three, [...all, ...more], [], NOW, slots);
    expect(kindsOf(within(2))).to.deep.equal(['Rollout a', 'Rollout b']);
    expect([within(2).isWaiting, within(3).isWaiting]).to.deep.equal([true, false]);
    const asked = one('Outdated', { name: 'x', annotations: { [annotation.apply]: 'now' } });
    expect(kindsOf(within(0, one('Missed', { name: 'm' }), asked))).to.deep.equal(['Repair m', 'Rollout x']);
  });

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

  it('tells which paths have a newer version, and which version that is', () => {
    const started = { [annotation.versions]: '{"secret/data/a":6,"secret/data/z":2}' };
    expect(wished(one('Injected', { annotations: started }))[0]?.message).to.equal(
      'restarting: secret/data/a has version 7 (pods started with version 6)',
    );
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
    expect(actions[0]?.message).to.equal('restarting, as vaultinjection.dev/restart asks');
    expect(rolling).to.deep.equal(['Deployment/shop/web']);
    for (const apply of [{}, { [annotation.apply]: 'now' }]) {
      const noted = { ...annotations, [annotation.versions]: versions, ...apply };
      const again = planned(manual, one('Outdated', { annotations: noted, restartPending: true }));
      expect(again.actions[0]?.message).to.match(/: pods should start with version 7 of secret\/data\/a, version 2 of/);
    }
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

describe('a workload that ran before the policy', () => {
  const newcomer = (about: About = {}): Tracked => one('Missed', { reason: 'NotAdopted', ...about });

  it('is left alone under Manual until somebody asks, and says so by its request', () => {
    expect(planned(manual, newcomer()).actions).to.deep.equal([]);
    const asked = planned(manual, newcomer({ annotations: { [annotation.apply]: 'now' } }));
    expect(kindsOf(asked)).to.deep.equal(['Adoption web']);
  });

  it('is rolled in the slots of the policy under Automatic', () => {
    const moving = one('Injected', { name: 'z', annotations: requested('Adoption', 60_000), rollout: MOVING });
    expect(planned(automatic, newcomer(), moving).actions).to.deep.equal([]);
    expect(kindsOf(planned(automatic, newcomer({ name: 'b' }), newcomer({ name: 'a' })))).to.deep.equal(['Adoption a']);
  });

  it('stops the others if its new pods fail', () => {
    const failed = { name: 'a', annotations: requested('Adoption', 60_000), rollout: { phase: 'Failed' } } as const;
    const { actions, stalls } = planned(automatic, one('Injected', failed), newcomer());
    expect([actions.length, stalls[0]?.reason]).to.deep.equal([0, 'RolloutFailed']);
  });
});

describe('a workload that would not start', () => {
  for (const reason of ['ReferenceMalformed', 'TransitKeyMissing'] as const) {
    it(`is neither repaired, rolled, restarted nor asked about again: ${reason}`, () => {
      const asked = { [annotation.apply]: 'now' };
      for (const annotations of [{}, asked]) {
        for (const state of ['Missed', 'Outdated'] as const)
          expect(planned(automatic, one(state, { reason, annotations })).actions, state).to.deep.equal([]);
      }
      const wish = { key: 'Deployment/shop/web', versions: { a: 2 }, hash: VERSIONS_HASH, baselineOnly: false };
      expect(plan(automatic, [one('Injected', { reason })], [wish], NOW).actions).to.deep.equal([]);
      const idle = { idle: true } as const;
      expect(planned(manual, one('Outdated', { reason, rollout: idle })).actions).to.deep.equal([]);
    });
  }
});

describe('a workload without a pod that works', () => {
  const idle = (about: About = {}): Tracked =>
    one('Outdated', { writtenAt: NOW - 60_000, ...about, rollout: { idle: true, ...about.rollout } });

  it('is brought up to date at once, also under Manual, and holds no slot', () => {
    expect(kindsOf(planned(manual, idle()))).to.deep.equal(['Repair web']);
    expect(kindsOf(planned(manual, one('Missed', { reason: 'NotAdopted', rollout: { idle: true } })))).to.deep.equal([
      'Repair web',
    ]);
    const { actions, rolling } = planned(automatic, idle({ name: 'a' }), one('Outdated', { name: 'b' }));
    expect(actions.map(({ kind }) => kind)).to.deep.equal(['Repair', 'Rollout']);
    expect(rolling).to.deep.equal(['Deployment/shop/b']);
    const moving = idle({ name: 'a', annotations: requested('Repair', 60_000), rollout: MOVING });
    expect(planned(manual, { ...moving, standing: one('Injected').standing }).rolling).to.deep.equal([]);
  });

  it('is left alone for a few seconds after somebody has written its template, or the operator has asked', () => {
    const fresh = planned(manual, idle({ writtenAt: NOW - 1_000 }));
    expect({ actions: fresh.actions, againInMs: fresh.againInMs }).to.deep.equal({ actions: [], againInMs: 4_000 });
    const asked = idle({ annotations: requested('Rollout', 2_000, 1, OTHER_HASH) });
    expect(planned(manual, asked).actions).to.deep.equal([]);
  });

  it('is left to its owner while its rollout is paused', () => {
    for (const rollout of [{ paused: true }, { onDelete: true }])
      expect(planned(manual, idle({ rollout })).actions).to.deep.equal([]);
  });

  it('is not asked for repeatedly without effect', () => {
    const after = (agoMs: number, attempt: number): Plan =>
      planned(manual, idle({ annotations: requested('Repair', agoMs, attempt) }));
    expect(attemptOf(after(10_000, 1))).to.equal('2');
    expect([after(30_000, 2).actions.length, attemptOf(after(40_000, 2))]).to.deep.equal([0, '3']);
    expect(after(3_600_000, 6).actions).to.deep.equal([]);
  });
});

describe('a rollout or restart without effect', () => {
  const after = (agoMs: number, attempt: number, about: About = {}): Plan =>
    planned(automatic, one('Outdated', { annotations: requested('Rollout', agoMs, attempt), ...about }));

  it('is asked for again ever more rarely: at most ten times in the first day, then every six hours', () => {
    let attempt = 1;
    let agoMs = 0;
    const times: number[] = [0];
    for (let now = 0; now < 3 * 86_400_000;) {
      const next = after(agoMs, attempt);
      const waitMs = next.againInMs ?? 0;
      now += waitMs;
      agoMs += waitMs;
      if (next.actions.length === 0) continue;
      attempt = Number(attemptOf(next));
      agoMs = 0;
      times.push(now);
    }
    const ofDay = (day: number): number => times.filter((time) => Math.floor(time / 86_400_000) === day).length;
    expect([ofDay(0), ofDay(1), ofDay(2)]).to.deep.equal([10, 4, 4]);
  });

  it('says so after three of them, while it waits', () => {
    expect(after(0, 2).stalls).to.deep.equal([]);
    const { stalls, actions } = after(0, 3);
    expect([stalls.map(({ reason }) => reason), actions]).to.deep.equal([['RequestWithoutEffect'], []]);
    expect(stalls[0]?.message).to.include('3 requests');
  });

  it('names who undid it, if somebody did', () => {
    const writers = [{ manager: 'ci', operation: 'Update', time: new Date(NOW - 1_000).toISOString(), template: true }];
    expect(after(60_000, 3, { writers }).stalls[0]?.message).to.include('field manager ci');
  });

  it('starts over under another rule, and when it had an effect or a day has passed', () => {
    const other = { annotations: requested('Rollout', 0, 7, OTHER_HASH) };
    expect(attemptOf(after(0, 7, other))).to.equal('1');
    expect(attemptOf(after(60_000, 7, { seenInjected: true }))).to.equal('1');
    expect(attemptOf(after(86_400_000, 7))).to.equal('1');
    const asked = { annotations: { ...requested('Rollout', 60_000, 7), [annotation.apply]: 'now' } };
    expect(attemptOf(after(0, 7, asked))).to.equal('1');
  });

  it('goes by a clock that nobody sets, so one set back by an hour delays nothing', () => {
    const ages = { requestMs: 40_000, templateMs: Infinity, quietMs: Infinity, steadyMs: Infinity, brokenMs: 0 };
    expect(attemptOf(after(-3_600_000, 2, { ages }))).to.equal('3');
    const missed = one('Missed', { annotations: requested('Repair', -3_600_000), ages });
    expect(kindsOf(planned(manual, missed))).to.deep.equal(['Repair web']);
  });

  it('counts what the operator did by the time that API servers wrote down, as that of others', () => {
    const ofOurs = { manager: REQUEST_FIELD_MANAGER, operation: 'Update', template: false };
    const ci = { manager: 'ci', operation: 'Update', time: '2026-01-01T12:59:00Z', template: true };
    const writers = [{ ...ofOurs, time: '2026-01-01T13:00:00Z' }, ci];
    // the operator's clock is an hour behind
    const annotations = requested('Repair', 60_000);
    expect(attemptOf(planned(manual, one('Missed', { annotations, writers })))).to.equal('1');
  });
});

describe('kinds whose pods are not replaced', () => {
  const idle: Partial<RolloutState> = { idle: true, started: false };

  it('have a CronJob brought up to date at once, whatever the rollout says: its next run takes it', () => {
    for (const rule of [manual, automatic]) {
      const result = planned(rule, one('Outdated', { kind: 'CronJob', rollout: idle }));
      expect(kindsOf(result)).to.deep.equal(['Repair web']);
      expect(result.actions[0]?.message).to.contain('its next run takes it');
      expect(result.rolling, 'no slot').to.deep.equal([]);
    }
  });

  it('have a CronJob adopted that is older than the policy', () => {
    const newcomer = one('Missed', { kind: 'CronJob', rollout: idle, reason: 'NotAdopted' });
    expect(kindsOf(planned(manual, newcomer))).to.deep.equal(['Repair web']);
  });

  it('ask nothing about a Job: nobody could give it another template', () => {
    for (const state of ['Missed', 'Outdated'] as const)
      for (const annotations of [{}, { [annotation.apply]: 'now' }])
        expect(planned(automatic, one(state, { kind: 'Job', annotations }))).to.deep.equal(NOTHING);
  });

  it('roll no ReplicaSet, and repair one that was missed', () => {
    const about = { kind: 'ReplicaSet', rollout: { onDelete: true } } as const;
    expect(planned(automatic, one('Outdated', about))).to.deep.equal(NOTHING);
    expect(kindsOf(planned(manual, one('Missed', about)))).to.deep.equal(['Repair web']);
  });
});

it('a DaemonSet is rolled like a Deployment', () => {
  expect(kindsOf(planned(automatic, one('Outdated', { kind: 'DaemonSet' })))).to.deep.equal(['Rollout web']);
  expect(planned(automatic, one('Outdated', { kind: 'DaemonSet', rollout: { onDelete: true } }))).to.deep.equal(
    NOTHING,
  );
});
