import { expect } from 'chai';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, deployment, templateOf } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';
import { hiddenIn, HOSTILE } from '../../../support/hostile-text.ts';

/**
 * Templates of a size that the API server sends (its limit for a request is 3 MiB) and that nobody would write. Work that
 * grew with the square of the size would not end within the time that a test has. What is above the bounds of a review is
 * in budget.test.ts.
 */
const MANY = 6_000;
const MOST_CONTAINERS = 250;
const many = <T>(make: (index: number) => T, count = MANY): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const rule = ruleWith({ overrides: { allow: ['Containers', 'FromPaths'] } });

describe('a hostile template', () => {
  it('with very many containers is denied before all of them are built', () => {
    const containers = many(
      (index) => ({ name: `c${index}`, command: ['x'.repeat(1_000)], env: [{ name: 'A', value: 'vault:a#b' }] }),
      MOST_CONTAINERS,
    );
    const withCa = ruleWith({ vault: { tls: { caBundle: 'P'.repeat(10_000) } } });
    const { denial } = mutate(deployment({ containers }), withCa);
    expect(denial?.reason).to.equal('RecordTooLarge');
    expect(denial?.message).to.contain('in 250 containers would exceed the 1572864 bytes that can be stored');
    expect(mutate(deployment({ containers }), rule).denial?.message).to.contain(
      'the annotations of the pod template would take',
    );
  });

  it('with very many containers that claim to be injected is restored', () => {
    const object = admitted(deployment({ containers: [container()] }), rule);
    const [app] = templateOf(object).spec.containers;
    templateOf(object).spec.containers = many(
      (index) => ({ ...(app ?? container()), name: `c${index}` }),
      MOST_CONTAINERS,
    );
    expect(mutate(object).outcome).to.equal('Restored');
  });

  it('with a record longer than any annotation can be', () => {
    const object = admitted(deployment({ containers: [container()] }), rule);
    const record = JSON.stringify({ v: 1, volumes: [], containers: many(() => ({ name: 'app', args: [] })) });
    templateOf(object).metadata.annotations['vaultinjection.dev/original'] = record;
    expect(mutate(object, rule).outcome).to.equal('Injected');
  });

  it('with very many mounts at the places that injection would take', () => {
    const volumeMounts = many((index) => ({
      name: 'data',
      mountPath: `/vault-env${index === 0 ? '' : `-${index + 1}`}`,
    }));
    const object = deployment({ containers: [container({ volumeMounts })] });
    expect(templateOf(admitted(object, rule)).spec.containers[0]?.command).to.deep.equal([
      `/vault-env-${MANY + 1}/vault-env`,
    ]);
  });

  it('with very long annotations', () => {
    const ask = (annotations: object): Workload => deployment({ containers: [container()] }, annotations);
    const list = many((index) => `a${index}`).join(',');
    expect(mutate(ask({ 'vaultinjection.dev/containers': list }), rule).warnings).to.deep.equal([
      'vaultinjection.dev/containers: ignored, write at most 32 names',
    ]);
    expect(mutate(ask({ 'vaultinjection.dev/from-paths': list }), rule).warnings).to.deep.equal([
      'vaultinjection.dev/from-paths: ignored, write at most 32 paths',
    ]);
    const unknown = Object.fromEntries(many((index) => [`vaultinjection.dev/unknown-${index}`, '']));
    expect(mutate(ask(unknown), rule).warnings.at(-1)).to.equal('… and 5990 more');
  });

  for (const [name, text] of [
    ['expansions', '$('.repeat(1_000_000)],
    ['references', '${vault:a#b}'.repeat(200_000)],
    ['escapes', '$$${vault:'.repeat(200_000)],
    ['expressions', `vault:a#${'${"'.repeat(500_000)}`],
    ['braces', `\${vault:a#${'{'.repeat(1_000_000)}`],
    ['digits', `vault:v${'1'.repeat(1_000_000)}`],
    ['slashes', `vault:${'/'.repeat(1_000_000)}`],
  ] as const) {
    it(`with a value of very many ${name}`, () => {
      const env = [...container().env, { name: 'LONG', value: text }];
      expect(mutate(deployment({ containers: [container({ env, args: [text] })] }), rule).outcome).to.match(
        /Injected|Denied/,
      );
    });
  }

  it('with names that would end a line, turn text around or fill a screen', () => {
    const env = [{ name: `A${HOSTILE}`, value: 'vault:secret/data/x' }];
    const object = deployment(
      { containers: [container({ name: HOSTILE, env, args: ['\u001b[31mvault:a/b#c'] })] },
      { 'vaultinjection.dev/policy': HOSTILE },
    );
    const { warnings } = mutate(object, rule);
    expect(warnings).to.have.length.above(1);
    for (const warning of warnings) {
      expect(hiddenIn(warning)).to.deep.equal([]);
      expect(warning.length).to.be.at.most(120);
    }
  });

  it('with very deep nesting', () => {
    const deep: unknown = JSON.parse('[{"name":'.repeat(50_000) + '1' + '}]'.repeat(50_000));
    for (const field of ['command', 'args', 'env', 'volumeMounts', 'livenessProbe', 'x']) {
      const object = deployment({ volumes: deep, containers: [container({ [field]: deep })] });
      expect(mutate(object, { ...rule, failurePolicy: 'Ignore' }).outcome).to.match(/Injected|Unchanged/);
    }
  });
});
