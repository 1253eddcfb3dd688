import { expect } from 'chai';
import { annotation } from '../../../../core/injection/annotations.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';

const REFERENCE = 'vault:secret/data/shop/db#password';
type Object = ReturnType<typeof deployment>;
type Changes = Parameters<typeof ruleWith>[0];

const env = (value: string, name = 'DB'): object[] => [{ name, value }];
const withEnv = (value: string): Object => deployment({ containers: [container({ env: env(value) })] });
const warningsOf = (object: Object, changes?: Changes): readonly string[] =>
  (changes === undefined ? mutate(object) : mutate(object, ruleWith(changes))).warnings;

describe('what nothing will resolve', () => {
  describe('references of a workload that is not injected are warned of, with the reason', () => {
    const literal = (why: string): string => `container app: DB stays text: ${why}`;
    const plain = withEnv(REFERENCE);

    it('no policy', () => {
      expect(warningsOf(plain)).to.deep.equal([literal('no VaultInjectionPolicy selects it')]);
    });
    it('a policy that selects others', () => {
      const selector = { matchLabels: { app: 'other' } };
      expect(warningsOf(plain, { selector })).to.deep.equal([literal('no VaultInjectionPolicy selects it')]);
    });
    it('no policy of the namespace that is for the kind: which kind to add to which', () => {
      const why = 'no policy here is for Deployments; add Deployment to targets of shop-secrets';
      expect(warningsOf(plain, { targets: ['CronJob'] })).to.deep.equal([literal(why)]);
      expect(why.length + literal('').length, 'whole for names of some length').to.be.at.most(110);
      const selector = { matchLabels: { app: 'other' } };
      expect(warningsOf(plain, { targets: ['CronJob'], selector })).to.deep.equal([
        literal('no VaultInjectionPolicy selects it'),
      ]);
    });
    it('not where the pods are injected instead', () => {
      expect(warningsOf(plain, { targets: ['Pod'] })).to.deep.equal([]);
    });
    it('a controller’s template that was not injected', () => {
      const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', controller: true };
      const labels = { app: 'web', 'pod-template-hash': '1' };
      const { spec } = plain.spec.template;
      const object = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web-1-2', labels, ownerReferences: [owner] },
        spec,
      };
      const reviewed = (...targets: Rule['targets']): readonly string[] =>
        mutateWorkload({
          kind: 'Pod',
          namespace: 'shop',
          name: 'web-1-2',
          object,
          rules: snapshotOf(ruleWith({ targets })),
        }).warnings;
      expect(reviewed('Deployment', 'Pod')).to.deep.equal([literal('it is left to the Deployment that made it')]);
      const why = 'no policy here is for Deployments; add Deployment to targets of shop-secrets';
      expect(reviewed('CronJob')).to.deep.equal([literal(why)]);
    });
    it('a policy that was deleted or suspended', () => {
      expect(warningsOf(admitted(plain, ruleWith()))).to.deep.equal([
        literal('policy shop-secrets is deleted or suspended'),
      ]);
    });
    it('a policy that selects it no longer', () => {
      const selector = { matchLabels: { app: 'other' } };
      expect(warningsOf(admitted(plain, ruleWith()), { selector })).to.deep.equal([
        literal('policy shop-secrets does not select it'),
      ]);
    });
    it('an annotation that excludes it, or one that is missing', () => {
      const excluded = deployment(
        { containers: [container({ env: env(REFERENCE) })] },
        { [annotation.inject]: 'false' },
      );
      expect(warningsOf(excluded, {})).to.deep.equal([literal('inject is "false"')]);
      const wanted = literal(`policy shop-secrets wants ${annotation.inject}: "true"`);
      expect(warningsOf(plain, { when: 'Annotation' })).to.deep.equal([wanted]);
    });
    it('an excluded container, with how many variables', () => {
      const two = container({ env: [...env(REFERENCE), ...env(REFERENCE, 'B')] });
      expect(
        warningsOf(deployment({ containers: [two] }), { containers: { include: ['*'], exclude: ['app'] } }),
      ).to.deep.equal(['container app: DB (and 1 more) stays text: policy shop-secrets excludes this container']);
    });
    it('not for what is wrapped, and not for what is no reference', () => {
      expect(warningsOf(plain, {})).to.deep.equal([]);
      for (const value of ['vault:8200', 'vault:8200/v1', 'vault://', 'vault:1.15.2', '$$${vault:a/b#c}', 'x', '']) {
        expect(warningsOf(withEnv(value)), value).to.deep.equal([]);
      }
    });
  });

  describe('texts that look like references', () => {
    const texts: readonly (readonly [value: string, form: string | undefined])[] = [
      ['VAULT:secret/data/shop/db#password', 'vault:PATH#KEY'],
      ['Vault:secret/data/shop/db#password', 'vault:PATH#KEY'],
      [' vault:secret/data/shop/db#password', 'vault:PATH#KEY'],
      ['\tvault:secret/data/shop/db#password', 'vault:PATH#KEY'],
      ['"vault:secret/data/shop/db#password"', 'vault:PATH#KEY'],
      ["'vault:secret/data/shop/db#password'", 'vault:PATH#KEY'],
      ['$(vault:secret/data/shop/db#password)', 'vault:PATH#KEY'],
      ['{vault:secret/data/shop/db#password}', 'vault:PATH#KEY'],
      ['ref+vault://secret/data/shop/db#password', 'vault:PATH#KEY'],
      ['postgres://shop:vault:secret/data/shop/db#password@db/shop', '${vault:PATH#KEY} inside of text'],
      ['password=vault:secret/data/shop/db#password', '${vault:PATH#KEY} inside of text'],
      ['https://vault:8200/ui#/secrets', undefined],
      ['see vault: it is secret', undefined],
      ['default:secret/data#x', undefined],
      ['vault:8200', undefined],
      ['the $${vault:secret/data/shop/db#password}', undefined],
      ['$vault:secret/data/shop/db#password', undefined],
      [REFERENCE, undefined],
      [`\${${REFERENCE}}`, undefined],
    ];
    for (const [value, form] of texts) {
      it(`${JSON.stringify(value)}: ${form ?? 'nothing'}`, () => {
        const expected = form === undefined ? [] : [`container app: DB is text, not a reference; write ${form}`];
        expect(warningsOf(withEnv(value), {})).to.deep.equal(expected);
        expect(warningsOf(withEnv(value)).filter((text) => text.includes('is text'))).to.deep.equal(expected);
      });
    }
    it('are none in variables that the policy names as literals', () => {
      const literals = { environment: { literals: ['D*'] } };
      for (const [value] of texts) expect(warningsOf(withEnv(value), literals), value).to.deep.equal([]);
      expect(warningsOf(withEnv('VAULT:a/b#c'), { environment: { literals: ['D'] } })).to.have.length(1);
    });
    it('are found in linear time, whatever the text', () => {
      for (const part of ['vault:', 'vault:/', '#', ' vault:a/b', 'vault:a/b#', "'"]) {
        mutate(withEnv(part.repeat(200_000 / part.length)), ruleWith());
      }
    });
  });

  describe('places that vault-env does not read', () => {
    const where = (place: string): string =>
      `container app: references in ${place} are not resolved; move them into env, and have a shell read $NAME`;
    const words: readonly (readonly [word: string, isWarned: boolean])[] = [
      [REFERENCE, true],
      [`--password=${REFERENCE}`, true],
      [`--url=postgres://shop:\${${REFERENCE}}@db`, true],
      [`echo "${REFERENCE}" > /tmp/x`, true],
      ['--vault=https://vault:8200/', false],
      ['--token=vault:login', false],
      ['--text=$${vault:a/b#c}', false],
    ];
    for (const [word, isWarned] of words) {
      it(`${word} in command and args: ${isWarned ? 'a warning' : 'nothing'}`, () => {
        for (const place of ['command', 'args'] as const) {
          const object = deployment({ containers: [container({ [place]: ['run', word] })] });
          expect(warningsOf(object, {})).to.deep.equal(isWarned ? [where(place)] : []);
        }
      });
    }
    it('exec probes and hooks of a wrapped container, unless they are wrapped too', () => {
      const exec = { exec: { command: ['pg_isready'] } };
      const one = container({
        livenessProbe: exec,
        lifecycle: { preStop: exec },
        readinessProbe: { tcpSocket: { port: 1 } },
      });
      const object = deployment({ containers: [one] });
      expect(warningsOf(object, { probes: false })).to.deep.equal([
        "container app: set inject.probes true, or livenessProbe, preStop see the references' text",
      ]);
      expect(warningsOf(object, { probes: true })).to.deep.equal([]);
      expect(warningsOf(admitted(object, ruleWith()), { probes: false }), 'the second time').to.have.length(1);
    });
    it('a variable from a file, if nothing else has the container wrapped', () => {
      const fromFile = { name: 'KEY', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'a.env', key: 'KEY' } } };
      const object = deployment({ containers: [container({ env: [fromFile] })] });
      const warning =
        'container app: KEY comes from a file, which is not read; if it refers to Vault set inject.when Always';
      expect(warningsOf(object, {})).to.deep.equal([warning]);
      expect(warningsOf(object, { when: 'Always' })).to.deep.equal([]);
      const both = deployment({ containers: [container({ env: [fromFile, ...env(REFERENCE)] })] });
      expect(warningsOf(both, {})).to.deep.equal([]);
    });
  });

  describe('annotations that nobody reads', () => {
    const annotated = (annotations: object, value = 'x'): Object =>
      deployment({ containers: [container({ env: env(value) })] }, annotations);

    for (const prefix of ['vault-injection.dev', 'vaultinjections.dev', 'vaultinjection.io', 'VaultInjection.dev']) {
      it(`the prefix ${prefix} is misspelt`, () => {
        expect(warningsOf(annotated({ [`${prefix}/inject`]: 'true' }), {})).to.deep.equal([
          `annotation ${prefix}/inject is not read; write ${annotation.inject}`,
        ]);
      });
    }
    for (const key of ['vault.security.banzaicloud.io/vault-role', 'vault.hashicorp.com/agent-inject']) {
      it(`${key} is for another injector, if nothing is injected`, () => {
        const warning = `annotation ${key} is not read; a VaultInjectionPolicy says what is injected`;
        expect(warningsOf(annotated({ [key]: 'true' }), {})).to.deep.equal([warning]);
        expect(warningsOf(annotated({ [key]: 'true' }, REFERENCE), {})).to.deep.equal([]);
      });
    }
    it('others are not our business', () => {
      for (const key of ['example.com/inject', 'injection.dev/x', 'plain', 'app.kubernetes.io/name', 'vault.dev/x']) {
        expect(warningsOf(annotated({ [key]: 'true' }), {}), key).to.deep.equal([]);
      }
    });
    it('a label of the workload in place of an annotation', () => {
      const object = annotated({});
      Object.assign(object.metadata.labels, { [annotation.inject]: 'true' });
      expect(warningsOf(object, {})).to.deep.equal([
        `label ${annotation.inject} is not read; write it as an annotation, such as ${annotation.inject}: "true"`,
      ]);
    });
  });
});
