import { expect } from 'chai';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';

const requirement = (operator: string, ...values: string[]): object => ({ key: 'kubernetes.io/os', operator, values });
const affinity = (...terms: object[][]): object => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: terms.map((matchExpressions) => ({ matchExpressions })),
      },
    },
  },
});
const zone = { key: 'topology.kubernetes.io/zone', operator: 'In', values: ['a'] };
const preferred = { weight: 1, preference: { matchExpressions: [requirement('In', 'windows')] } };

const OTHERS: Readonly<Record<string, object>> = {
  'os.name': { os: { name: 'windows' } },
  'a node selector': { nodeSelector: { 'kubernetes.io/os': 'windows' } },
  'a node selector by the old label': { nodeSelector: { 'beta.kubernetes.io/os': 'windows' } },
  'a required affinity': affinity([zone, requirement('In', 'windows')]),
  'a required affinity, each term': affinity([requirement('In', 'windows')], [requirement('NotIn', 'linux')]),
};
const LINUX: Readonly<Record<string, object>> = {
  nothing: {},
  'os.name': { os: { name: 'linux' } },
  'a node selector': { nodeSelector: { 'kubernetes.io/os': 'linux', disk: 'windows' } },
  'an affinity to both': affinity([requirement('In', 'windows', 'linux')]),
  'an affinity with a term for Linux': affinity([requirement('In', 'windows')], [zone]),
  'an affinity to anything else': affinity([requirement('NotIn', 'windows')]),
  'an empty affinity': affinity(),
  'a preference': { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [preferred] } } },
  'what is no selector': { nodeSelector: 'windows', affinity: 7, os: null },
};

describe('the operating system of a pod', () => {
  for (const failurePolicy of ['Ignore', 'Fail'] as const)
    for (const [what, spec] of Object.entries(OTHERS))
      it(`another one by ${what}: left alone under ${failurePolicy}, and told`, () => {
        const object = deployment({ containers: [container()], ...spec });
        const { outcome, patch, exclusion, warnings } = mutate(object, ruleWith({ failurePolicy }));
        expect([outcome, patch, exclusion]).to.deep.equal(['Excluded', [], 'OtherOperatingSystem']);
        expect(warnings).to.have.length(1);
        expect(warnings[0]).to.match(/^container app: DB_PASSWORD stays .* its pods are for .*, and vault-env is for/);
      });

  for (const [what, spec] of Object.entries(LINUX))
    it(`Linux by ${what}: injected`, () => {
      const object = deployment({ containers: [container()], ...spec });
      expect(mutate(object, ruleWith()).outcome).to.equal('Injected');
    });

  it('one without references is left alone too, whatever the policy wants wrapped', () => {
    const object = deployment({ containers: [container({ env: [] })], ...OTHERS['os.name'] });
    expect(mutate(object, ruleWith({ when: 'Always' }))).to.deep.include({ outcome: 'Excluded', warnings: [] });
  });

  it('one that asks for injection is told that it gets none', () => {
    const object = deployment(
      { containers: [container()], ...OTHERS['os.name'] },
      { 'vaultinjection.dev/inject': 'true' },
    );
    expect(mutate(object, ruleWith()).warnings[0]).to.equal(
      'vaultinjection.dev/inject: nothing is injected, its pods are for windows, and vault-env is for Linux',
    );
  });

  it('one that was injected before is restored', () => {
    const plain = deployment({ containers: [container()] });
    const injected = admitted(plain, ruleWith());
    injected.spec.template.spec.nodeSelector = { 'kubernetes.io/os': 'windows' };
    const restored = admitted(injected, ruleWith());
    expect(restored).to.deep.equal(
      deployment({ containers: [container()], nodeSelector: { 'kubernetes.io/os': 'windows' } }),
    );
  });
});
