import { expect } from 'chai';

import { conditionsOf, nextStatus } from '../../../../operator/policies/conditions.ts';
import type { PolicyFacts, PolicyStatus } from '../../../../operator/policies/conditions.ts';
import { StatusLog } from '../../../../operator/policies/status-log.ts';
import { ALL_WELL } from '../../../support/example-facts.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { testLog, type LogLine } from '../../../support/test-log.ts';

const SEALED: Partial<PolicyFacts> = { vault: { status: 'False', reason: 'VaultSealed', message: 'it is sealed' } };
const UNKNOWN: Partial<PolicyFacts> = { vault: { status: 'Unknown', reason: 'VaultNotChecked', message: 'not yet' } };
const STALLED: Partial<PolicyFacts> = { stalled: { reason: 'RolloutFailed', message: 'Deployment/a: no pod came' } };
const REFUSED: Partial<PolicyFacts> = {
  verdict: { ok: false, reason: 'DurationInvalid', message: 'write a duration' },
};

describe('the log about policies', () => {
  let lines: LogLine[];
  let log: StatusLog;
  beforeEach(() => {
    const { logger, lines: all } = testLog();
    lines = all;
    log = new StatusLog({ clock: new ManualClock(), logger });
  });

  const status = (facts: Partial<PolicyFacts>, rest = {}): PolicyStatus =>
    nextStatus(undefined, conditionsOf({ ...ALL_WELL, ...facts }), 3, 0, rest);

  /** What is logged when a status follows another: level, conditions and reason. */
  function between(before: PolicyStatus | undefined, after: PolicyStatus): unknown[] {
    lines.length = 0;
    log.written('shop/web', 'shop', before, after);
    return lines.map(({ level, fields }) => [level, fields.conditions, fields.reason]);
  }

  it('warns of a Vault that is lost and of a policy that is stalled, with the message of the condition', () => {
    expect(between(status({}), status(SEALED))).to.deep.equal([['warn', ['VaultReachable=False'], 'VaultSealed']]);
    expect(lines[0]).to.deep.include({ message: 'the status of the policy changed' });
    expect(lines[0]?.fields).to.include({ policy: 'shop/web', generation: 3, message: 'it is sealed' });
    expect(between(status({}), status(STALLED))).to.deep.equal([['warn', ['Stalled=True'], 'RolloutFailed']]);
    expect(lines[0]?.fields.message).to.equal('Deployment/a: no pod came');
  });

  it('says in one line what several conditions say', () => {
    expect(between(status({}), status(REFUSED))).to.deep.equal([
      ['warn', ['Ready=False', 'Stalled=True'], 'DurationInvalid'],
    ]);
  });

  it('says at info that it is over', () => {
    expect(between(status(SEALED), status({}))).to.deep.equal([['info', ['VaultReachable=True'], 'VaultReachable']]);
    expect(between(status(STALLED), status({}))).to.deep.equal([['info', ['Stalled=False'], 'Active']]);
    expect(between(status(REFUSED), status({}))).to.deep.equal([['info', ['Ready=True', 'Stalled=False'], 'Active']]);
  });

  it('says of a new policy that it is ready, and not what is not known yet', () => {
    expect(between(undefined, status(UNKNOWN))).to.deep.equal([['info', ['Ready=True'], 'Active']]);
    expect(between(status(UNKNOWN), status(UNKNOWN))).to.deep.equal([]);
  });

  it('says nothing of counts, of messages alone, and of other conditions', () => {
    const workloads = { matched: 1, injected: 1, outdated: 0, missed: 0, denied: 0, failed: 0, excluded: 0 };
    expect(between(status({}), status({}, { workloads }))).to.deep.equal([]);
    const other: Partial<PolicyFacts> = { vault: { status: 'True', reason: 'VaultReachable', message: 'still' } };
    expect(between(status({}), status(other))).to.deep.equal([]);
    expect(between(status({}), status({ rotating: { status: 'True', reason: 'RotationActive', message: 'it is' } }))).to
      .be.empty;
  });

  it('is not filled by the policies of one namespace', () => {
    for (let index = 0; index < 1_000; index++) log.written(`shop/${index}`, 'shop', status({}), status(SEALED));
    log.written('bank/web', 'bank', status({}), status(SEALED));
    expect(lines.filter(({ level }) => level === 'warn')).to.have.length(21);
    expect(lines.at(-1)?.fields.policy).to.equal('bank/web');
  });
});
