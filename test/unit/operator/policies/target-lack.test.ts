import { expect } from 'chai';

import { kindsWith, PRESETS } from '../../../../core/added-kinds.ts';
import { KINDS } from '../../../../core/kinds.ts';
import { conditionsOf } from '../../../../operator/policies/conditions.ts';
import { targetLackOf } from '../../../../operator/policies/target-lack.ts';
import { ALL_WELL } from '../../../support/example-facts.ts';

const ROLLOUT = 'Rollout.argoproj.io';
const WITH_ROLLOUTS = kindsWith(PRESETS.ArgoRollout ? [PRESETS.ArgoRollout] : []);
const none = (): undefined => undefined;

describe('a policy that names a kind', () => {
  it('lacks nothing if it is known and served', () => {
    expect(targetLackOf(['Deployment', 'Pod', ROLLOUT], WITH_ROLLOUTS, none)).to.equal(undefined);
  });

  it('is told of the setting if the operator does not know it', () => {
    const lack = targetLackOf(['Deployment', ROLLOUT], KINDS, none);
    expect(lack?.reason).to.equal('TargetUnknown');
    expect(lack?.message).to.match(/^targets names Rollout\.argoproj\.io, .* setting templates \(ArgoRollout\)/);
    const other = targetLackOf([ROLLOUT, 'constructor'], KINDS, none);
    expect(other?.message).to.contain('names Rollout.argoproj.io, constructor, which').and.not.contain('(ArgoRollout)');
  });

  it('is told of the CRD, of the right, or of the guard-rail', () => {
    const lack = (problem: 'NotServed' | 'Forbidden' | 'Refused') =>
      targetLackOf(['Deployment', ROLLOUT], WITH_ROLLOUTS, (kind) => (kind === ROLLOUT ? problem : undefined));
    expect(lack('NotServed')).to.deep.include({ reason: 'TargetUnavailable' });
    expect(lack('NotServed')?.message).to.contain(
      'has no rollouts.argoproj.io of argoproj.io/v1alpha1: install the CRD',
    );
    expect(lack('Forbidden')?.message).to.contain('may not list and watch rollouts.argoproj.io');
    expect(lack('Refused')?.message).to.contain(
      'name rollouts.argoproj.io in the annotation vaultinjection.dev/templates',
    );
  });

  it('is what a policy is not ready for, also where nothing of it can be programmed: to wait would not help', () => {
    const targetLack = { reason: 'TargetUnknown', message: 'add it' } as const;
    const conditions = conditionsOf({ ...ALL_WELL, programmed: false, everywhere: false, targetLack });
    const summary = conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
    expect(summary).to.include.members(['Ready=False/TargetUnknown', 'Stalled=True/TargetUnknown']);
  });

  it('is not Ready for it, and otherwise in force', () => {
    const targetLack = { reason: 'TargetUnknown', message: 'add it' } as const;
    const conditions = conditionsOf({ ...ALL_WELL, targetLack });
    const of = (type: string) => conditions.find((condition) => condition.type === type);
    expect(of('Ready')).to.include({ status: 'False', reason: 'TargetUnknown', message: 'add it' });
    expect(of('Programmed')).to.include({ status: 'True' });
    expect(of('Stalled')).to.include({ status: 'True', reason: 'TargetUnknown' });
    expect(of('Reconciling')).to.equal(undefined);
  });
});
