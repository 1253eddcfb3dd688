import { expect } from 'chai';

import type { PolicyFacts, PolicyStatus } from '../../../../operator/policies/conditions.ts';
import { conditionsOf, isSameStatus, knownReachability, nextStatus } from '../../../../operator/policies/conditions.ts';
import { ALL_WELL } from '../../../support/example-facts.ts';

const SEALED = { status: 'False', reason: 'VaultSealed', message: 'sealed' } as const;

const FAULT = { ok: false, reason: 'AddressInvalid', message: 'spec.vault.address: write http or https' } as const;

/** `Accepted=True/Accepted …` in the order they are written. */
function summary(facts: PolicyFacts): string[] {
  return conditionsOf(facts).map(({ type, status, reason }) => `${type}=${status}/${reason}`);
}

function messageOf(facts: PolicyFacts, type: string): string | undefined {
  return conditionsOf(facts).find((condition) => condition.type === type)?.message;
}

describe('what is said about the webhook before this replica has tried', () => {
  it('is that nobody knows', () => {
    expect(knownReachability(undefined)).to.include({ status: 'Unknown', reason: 'WebhookNotProbed' });
  });

  it('is what the status says already', () => {
    const conditions = conditionsOf(ALL_WELL);
    const { conditions: known } = nextStatus(undefined, conditions, 3, 0);
    expect(knownReachability({ conditions: known ?? [] })).to.deep.equal(ALL_WELL.webhook);
  });
});

describe('conditions of a policy', () => {
  it('name what was added to the configuration where it may keep single workloads out', () => {
    const message = messageOf({ ...ALL_WELL, narrowedBy: 'matchConditions not-by-me' }, 'Programmed');
    expect(message).to.match(/^admission uses generation 3; somebody has added matchConditions not-by-me to /);
  });

  it('say that nothing is injected any more while the operator is being removed, whatever else is', () => {
    const facts = { ...ALL_WELL, leaving: 'the operator is being uninstalled' };
    expect(summary({ ...facts, programmed: false, everywhere: false })).to.include.members([
      'Programmed=False/Uninstalling',
      'Ready=False/Uninstalling',
      'Stalled=True/Uninstalling',
    ]);
    expect(messageOf(facts, 'Ready')).to.equal('the operator is being uninstalled');
  });

  it('say that the CRD is outdated only while it is, which takes nothing away', () => {
    const message = 'the CRD in the cluster is older than the operator';
    const before = summary(ALL_WELL);
    const after = summary({ ...ALL_WELL, crdOutdated: message });
    expect(after.filter((line) => !before.includes(line))).to.deep.equal(['CRDOutdated=True/CRDOutdated']);
    expect(before.filter((line) => !after.includes(line))).to.deep.equal([]);
    expect(messageOf({ ...ALL_WELL, crdOutdated: message }, 'CRDOutdated')).to.equal(message);
  });

  const cases: Readonly<Record<string, { facts: Partial<PolicyFacts>; expected: string[] }>> = {
    'in force': {
      facts: {},
      expected: [
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=True/Active',
      ],
    },
    'in force, with a sealed Vault: which informs and no more': {
      facts: { vault: SEALED },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=False/VaultSealed',
        'CertificateReady=True/CertificateReady',
        'Ready=True/Active',
      ],
    },
    'out of reach of API servers: which a person has to repair': {
      facts: {
        programmed: false,
        webhook: { status: 'False', reason: 'WebhookUnreachable', message: 'connection refused' },
      },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=False/NotProgrammed',
        'WebhookReachable=False/WebhookUnreachable',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/WebhookUnreachable',
        'Stalled=True/WebhookUnreachable',
      ],
    },
    'not known to be reached yet': {
      facts: { webhook: { status: 'Unknown', reason: 'WebhookNotProbed', message: 'not tried' } },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'WebhookReachable=Unknown/WebhookNotProbed',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/WebhookNotProbed',
        'Reconciling=True/WebhookNotProbed',
      ],
    },
    'kept out by what a platform added': {
      facts: { programmed: false, excludedBy: 'control-plane NotIn [true]' },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=False/ExcludedByPlatform',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/ExcludedByPlatform',
        'Stalled=True/ExcludedByPlatform',
      ],
    },
    'not programmed yet': {
      facts: { programmed: false },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=False/NotProgrammed',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/NotProgrammed',
        'Reconciling=True/NotProgrammed',
      ],
    },
    'without a certificate: the cause of not being programmed': {
      facts: { programmed: false, certificateReady: false },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=False/NotProgrammed',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=False/CertificateNotReady',
        'Ready=False/CertificateNotReady',
        'Reconciling=True/CertificateNotReady',
      ],
    },
    suspended: {
      facts: { verdict: { ok: true, suspended: true }, inForce: undefined },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=False/Suspended',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/Suspended',
      ],
    },
    'refused, with nothing to fall back on': {
      facts: { verdict: FAULT, inForce: undefined },
      expected: [
        'Accepted=False/AddressInvalid',
        'Programmed=False/NotAccepted',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/AddressInvalid',
        'Stalled=True/AddressInvalid',
      ],
    },
    'refused, while an earlier generation stays in force': {
      facts: { verdict: FAULT, inForce: 2 },
      expected: [
        'Accepted=False/AddressInvalid',
        'Programmed=True/Programmed',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/AddressInvalid',
        'Stalled=True/AddressInvalid',
      ],
    },
    'in force, while workloads do not get where they should': {
      facts: { stalled: { reason: 'RolloutFailed', message: 'Deployment/web' } },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=True/Active',
        'Stalled=True/RolloutFailed',
      ],
    },
    'in force, and asks for rotation that cannot be: which informs and no more': {
      facts: { rotating: SEALED },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Rotating=False/VaultSealed',
        'Ready=True/Active',
      ],
    },
    'in a namespace that is never injected': {
      facts: { excluded: true, programmed: false },
      expected: [
        'Accepted=True/Accepted',
        'Programmed=False/NamespaceExcluded',
        'WebhookReachable=True/WebhookReached',
        'VaultReachable=True/VaultReachable',
        'CertificateReady=True/CertificateReady',
        'Ready=False/NamespaceExcluded',
        'Stalled=True/NamespaceExcluded',
      ],
    },
  };
  for (const [what, { facts, expected }] of Object.entries(cases)) {
    it(`that is ${what}`, () => expect(summary({ ...ALL_WELL, ...facts })).to.deep.equal(expected));
  }

  it('say what the author has agreed to, next to what is well', () => {
    const facts = { ...ALL_WELL, consents: ['one thing', 'and another'] };
    expect(messageOf(facts, 'Accepted')).to.equal('the policy is valid; one thing; and another');
    expect(messageOf(facts, 'Ready')).to.equal('generation 3 is in force; one thing; and another');
    expect(messageOf({ ...facts, verdict: FAULT, inForce: 2 }, 'Accepted')).not.to.contain('one thing');
  });

  it('say which generation stays in force, or that none does', () => {
    expect(messageOf({ ...ALL_WELL, verdict: FAULT, inForce: 2 }, 'Accepted')).to.equal(
      'spec.vault.address: write http or https; generation 2 stays in force until this is fixed',
    );
    expect(messageOf({ ...ALL_WELL, verdict: FAULT, inForce: undefined }, 'Accepted')).to.equal(
      'spec.vault.address: write http or https; no earlier generation is known, so workloads stay as they are until this is fixed',
    );
    expect(messageOf(ALL_WELL, 'Ready')).to.equal('generation 3 is in force');
  });
});

describe('the status of a policy', () => {
  const NOON = Date.UTC(2026, 0, 2, 12, 0, 0, 789);
  const LATER = NOON + 3_600_000;
  const first = nextStatus(undefined, conditionsOf(ALL_WELL), 3, NOON);

  it('has the generation it is about, on itself and on each condition', () => {
    expect(first.observedGeneration).to.equal(3);
    expect(first.conditions?.every(({ observedGeneration }) => observedGeneration === 3)).to.equal(true);
  });

  it('has times as Kubernetes writes them', () => {
    expect(first.conditions?.[0]?.lastTransitionTime).to.equal('2026-01-02T12:00:00Z');
  });

  it('changes the transition time only if the status flips', () => {
    const next = nextStatus(first, conditionsOf({ ...ALL_WELL, vault: SEALED, inForce: 4 }), 4, LATER);
    const moved = next.conditions?.filter(({ lastTransitionTime }) => lastTransitionTime === '2026-01-02T13:00:00Z');
    expect(moved?.map(({ type }) => type)).to.deep.equal(['VaultReachable']);
    expect(next.conditions?.find(({ type }) => type === 'Ready')?.message).to.equal('generation 4 is in force');
  });

  it('is the same when nothing has changed, regardless of the order and of conditions of others', () => {
    const foreign = {
      type: 'Audited',
      status: 'True',
      reason: 'By',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    } as const;
    const stored: PolicyStatus = { ...first, conditions: [foreign, ...(first.conditions ?? []).toReversed()] };
    expect(isSameStatus(stored, nextStatus(stored, conditionsOf(ALL_WELL), 3, LATER))).to.equal(true);
  });

  const differences: Readonly<Record<string, PolicyStatus>> = {
    'another generation': nextStatus(first, conditionsOf(ALL_WELL), 4, LATER),
    'another message': nextStatus(first, conditionsOf({ ...ALL_WELL, inForce: 2 }), 3, LATER),
    'another status': nextStatus(first, conditionsOf({ ...ALL_WELL, vault: SEALED }), 3, LATER),
    'one condition more': nextStatus(first, conditionsOf({ ...ALL_WELL, programmed: false }), 3, LATER),
  };
  for (const [what, next] of Object.entries(differences)) {
    it(`is another with ${what}`, () => {
      expect(isSameStatus(first, next)).to.equal(false);
      expect(isSameStatus(next, first)).to.equal(false);
    });
  }

  it('is another if there was none', () => expect(isSameStatus(undefined, first)).to.equal(false));
});
