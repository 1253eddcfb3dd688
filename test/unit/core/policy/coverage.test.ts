import { expect } from 'chai';

import type { Maker, WorkloadKind } from '../../../../core/kinds.ts';
import { gapOf } from '../../../../core/policy/coverage.ts';
import type { Governor } from '../../../../core/policy/rule.ts';
import { ruleWith } from '../../../support/example-rule.ts';

const named = (name: string, targets: readonly WorkloadKind[], matchLabels = {}): Governor =>
  ruleWith({ policy: { name }, targets, selector: { matchLabels } });

function gap(governors: readonly Governor[], kind: WorkloadKind, maker?: Maker): string | undefined {
  const found = gapOf(governors, { kind, labels: { app: 'web' }, maker });
  return found && [found.kind, ...found.governors.map(({ policy }) => policy.name)].join(' ');
}

describe('a kind that no policy of a namespace names', () => {
  const both = [named('a', ['Deployment']), named('b', ['StatefulSet'])];
  const other = [named('a', ['Deployment'], { app: 'other' })];
  const table: readonly [string, readonly Governor[], WorkloadKind, Maker | undefined, string | undefined][] = [
    ['no policy, no gap', [], 'CronJob', undefined, undefined],
    ['any of them names it', both, 'StatefulSet', undefined, undefined],
    ['none names it', both, 'CronJob', undefined, 'CronJob a b'],
    ['none whose selector matches', other, 'CronJob', undefined, 'CronJob'],
    ['what is made from it is injected instead', [named('a', ['Pod'])], 'Deployment', undefined, undefined],
    [
      'not where that policy selects others',
      [named('a', ['Pod'], { app: 'other' })],
      'Deployment',
      undefined,
      'Deployment',
    ],
    ['its Jobs are', [named('a', ['Job'])], 'CronJob', undefined, undefined],
    ['the Jobs of no other kind are', [named('a', ['Job'])], 'DaemonSet', undefined, 'DaemonSet a'],
    ['its maker has to be named', both, 'Job', 'CronJob', 'CronJob a b'],
    ['its maker is named', [named('a', ['CronJob'])], 'Job', 'CronJob', undefined],
    ['an unknown maker counts for nothing', both, 'Pod', 'Other', 'Pod a b'],
    ['but for what it compares with its own template', both, 'ReplicaSet', 'Other', undefined],
  ];
  for (const [what, governors, kind, maker, expected] of table)
    it(what, () => expect(gap(governors, kind, maker)).to.equal(expected));

  it('the labels of its pods count for a policy that is for pods', () => {
    const governors = [named('a', ['Pod'], { tier: 'web' }), named('b', ['CronJob'])];
    const subject = { kind: 'Deployment', labels: { app: 'web' } } as const;
    expect(gapOf(governors, { ...subject, podLabels: { tier: 'web' } })).to.equal(undefined);
    expect(gapOf(governors, subject)?.governors.map(({ policy }) => policy.name)).to.deep.equal(['b']);
  });
});
