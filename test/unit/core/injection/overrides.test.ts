import { expect } from 'chai';
import type { Rule } from '../../../../core/policy/rule.ts';
import { readWishes, optionsOf } from '../../../../core/injection/overrides.ts';
import type { EffectiveOptions } from '../../../../core/injection/annotations.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { container, deployment, templateOf } from '../../../support/example-workload.ts';

const ALL = ['Role', 'FromPaths', 'IgnoreMissing', 'Containers', 'Mode', 'LogLevel'] as const;
const open = ruleWith({ overrides: { allow: ALL } });
const PLAIN: EffectiveOptions = {
  role: 'shop',
  fromPaths: [],
  areOwnPaths: false,
  include: ['*'],
  ignoreMissing: false,
  mode: 'Exec',
  logLevel: 'Info',
};

/** What annotations make of a rule's options, written without the prefix. */
function ask(annotations: Record<string, unknown>, rule: Rule = open): { changed: object; warnings: string[] } {
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const prefixed = Object.entries(annotations).map(([name, value]) => [`vaultinjection.dev/${name}`, value]);
  const object = deployment({ containers: [] }, Object.fromEntries(prefixed) as object);
  const options = optionsOf(rule, readWishes(object, templateOf(object), warn), warn);
  const changed = Object.entries(options).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(PLAIN[name as keyof EffectiveOptions]),
  );
  return { changed: Object.fromEntries(changed), warnings };
}

describe('annotations', () => {
  const paths = (...fromPaths: object[]): object => ({ fromPaths, areOwnPaths: true });
  const good: [string, Record<string, string>, object][] = [
    ['role', { role: 'shop-ro' }, { role: 'shop-ro' }],
    ['from-paths', { 'from-paths': 'kv/a' }, paths({ path: 'kv/a', prefix: '', overwrite: false })],
    [
      'several from-paths, with versions and white space',
      { 'from-paths': ' kv/a#3 ,/kv//b/, ' },
      paths({ path: 'kv/a', version: 3, prefix: '', overwrite: false }, { path: 'kv/b', prefix: '', overwrite: false }),
    ],
    ['containers', { containers: 'app, worker-*' }, { include: ['app', 'worker-*'] }],
    ['ignore-missing', { 'ignore-missing': 'True' }, { ignoreMissing: true }],
    ['mode', { mode: 'daemon' }, { mode: 'Daemon' }],
    ['log-level', { 'log-level': 'debug' }, { logLevel: 'Debug' }],
    ['none of those that admission writes itself', { injected: 'x', original: 'y', requested: 'z', apply: 'w' }, {}],
  ];
  for (const [name, annotations, changed] of good) {
    it(`change ${name}`, () => {
      expect(ask(annotations)).to.deep.equal({ changed, warnings: [] });
    });
  }

  const bad: [string, Record<string, unknown>, string][] = [
    ['an unknown one', { colour: 'red' }, 'colour: ignored, there is no such annotation'],
    ['a misspelt one', { rolle: 'x' }, 'rolle: ignored, there is no such annotation; did you mean role?'],
    [
      'another misspelt one',
      { 'from-path': 'x' },
      'from-path: ignored, there is no such annotation; did you mean from-paths?',
    ],
    ['one in capitals', { Inject: 'true' }, 'Inject: ignored, there is no such annotation; did you mean inject?'],
    ['an inject that is neither', { inject: 'yes' }, 'inject: ignored, write "true" or "false"'],
    ['a role with a slash', { role: 'a/b' }, 'role: ignored, write the name of a Vault role'],
    [
      'a path with a key',
      { 'from-paths': 'kv/a#1#k' },
      'from-paths: ignored, write path[#version], separated by commas',
    ],
    ['a path with dots', { 'from-paths': 'kv/../b' }, 'from-paths: ignored, write path[#version], separated by commas'],
    [
      'a path with vault:',
      { 'from-paths': 'kv/a?x' },
      'from-paths: ignored, write path[#version], separated by commas',
    ],
    [
      'a version that is none',
      { 'from-paths': 'kv/a#new' },
      'from-paths: ignored, a version is a whole number of at least 1',
    ],
    [
      'no containers',
      { containers: ' , ' },
      'containers: ignored, write names of containers (* as wildcard), separated by commas',
    ],
    [
      'a container in capitals',
      { containers: 'App' },
      'containers: ignored, write names of containers (* as wildcard), separated by commas',
    ],
    [
      'an ignore-missing that is neither',
      { 'ignore-missing': '1' },
      'ignore-missing: ignored, write "true" or "false"',
    ],
    ['a mode that does not exist', { mode: 'sidecar' }, 'mode: ignored, write one of Exec, Daemon'],
    [
      'a log level of other programs',
      { 'log-level': 'trace' },
      'log-level: ignored, write one of Debug, Info, Warn, Error',
    ],
  ];
  for (const [name, annotations, warning] of bad) {
    it(`change nothing by ${name}, and say why`, () => {
      expect(ask(annotations)).to.deep.equal({ changed: {}, warnings: [`vaultinjection.dev/${warning}`] });
    });
  }

  it('change nothing that the policy does not allow', () => {
    const rule = ruleWith({ overrides: { allow: ['LogLevel'] } });
    expect(ask({ role: 'admin', 'log-level': 'Warn' }, rule)).to.deep.equal({
      changed: { logLevel: 'Warn' },
      warnings: ['vaultinjection.dev/role: ignored, policy shop-secrets does not allow it (overrides.allow Role)'],
    });
  });

  it('choose no role if the method has none to choose', () => {
    const rule = ruleWith({ vault: { auth: { method: 'AppRole' } }, overrides: { allow: ['Role'] } });
    expect(ask({ role: 'shop-ro' }, rule)).to.deep.equal({
      changed: {},
      warnings: [
        'vaultinjection.dev/role: ignored, policy shop-secrets logs in with AppRole: its role-id determines the role',
      ],
    });
  });

  it('choose only roles that the policy lists, if it lists any', () => {
    const rule = ruleWith({ overrides: { allow: ['Role'], roles: ['shop-ro', 'shop-batch-*'] } });
    expect(ask({ role: 'shop-batch-7' }, rule).changed).to.deep.equal({ role: 'shop-batch-7' });
    expect(ask({ role: 'shop' }, rule)).to.deep.equal({
      changed: {},
      warnings: ['vaultinjection.dev/role: ignored, policy shop-secrets does not allow this role (overrides.roles)'],
    });
  });

  it('that are not text do not count', () => {
    expect(ask({ role: 7, inject: true, 'log-level': null })).to.deep.equal({ changed: {}, warnings: [] });
  });

  it('of the template win over those of the workload', () => {
    const both = (template: object, workload: object): unknown =>
      mutate(deployment({ containers: [container()] }, template, workload), ruleWith()).outcome;
    const inject = (value: string): object => ({ 'vaultinjection.dev/inject': value });
    expect(both(inject('true'), inject('false'))).to.equal('Injected');
    expect(both(inject('false'), inject('true'))).to.equal('Excluded');
    expect(both({}, inject('false'))).to.equal('Excluded');
  });

  it('with inject: "false" remove an injection, whatever the policy wants', () => {
    const rule = ruleWith({ when: 'Always' });
    const injected = admitted(deployment({ containers: [container()] }), rule);
    Object.assign(templateOf(injected).metadata.annotations, { 'vaultinjection.dev/inject': 'false' });
    const { outcome, audit } = mutate(injected, rule);
    expect({ outcome, reason: audit.reason }).to.deep.equal({ outcome: 'Excluded', reason: 'inject is "false"' });
    const object = deployment({ containers: [container()] }, { 'vaultinjection.dev/inject': 'false' });
    expect(admitted(injected, rule)).to.deep.equal(object);
  });

  it('ask in vain for injection if there is no policy, and say so', () => {
    const object = deployment({ containers: [container()] }, { 'vaultinjection.dev/inject': 'true' });
    expect(mutate(object).warnings).to.deep.equal([
      'vaultinjection.dev/inject: no policy applies to this workload; nothing is injected',
      'container app: DB_PASSWORD stays text: no VaultInjectionPolicy selects it',
    ]);
  });

  it('ask in vain for injection if no container refers to Vault, and say so', () => {
    const object = deployment({ containers: [container({ env: [] })] }, { 'vaultinjection.dev/inject': 'true' });
    for (const when of ['References', 'Annotation'] as const) {
      const { outcome, warnings } = mutate(object, ruleWith({ when }));
      expect(outcome).to.equal('Unchanged');
      expect(warnings).to.deep.equal([
        'vaultinjection.dev/inject: nothing is injected, no container that the policy selects refers to Vault',
      ]);
    }
    expect(mutate(object, ruleWith({ when: 'Always' })).warnings).to.deep.equal([]);
    expect(mutate(deployment({ containers: [container({ env: [] })] }), ruleWith()).warnings).to.deep.equal([]);
  });

  it('narrow the containers, and say which of them does not exist', () => {
    const object = deployment(
      { containers: [container(), container({ name: 'b' })] },
      { 'vaultinjection.dev/containers': 'b,c' },
    );
    const { audit, warnings } = mutate(object, open);
    expect(audit.containers).to.equal('b');
    expect(warnings).to.include('vaultinjection.dev/containers: there is no container c');
  });

  describe('policy', () => {
    const other = ruleWith({ policy: { name: 'other' }, hash: 'cccccccccccc' });
    const choosing = (name: string): unknown =>
      deployment({ containers: [container()] }, { 'vaultinjection.dev/policy': name });

    it('chooses one of those that match', () => {
      expect(mutate(choosing('other'), ruleWith(), other).policy?.name).to.equal('other');
      expect(mutate(choosing(''), ruleWith(), other).policy?.name).to.equal('shop-secrets');
    });

    it('that does not match injects nothing at all, and says what there is', () => {
      const { outcome, warnings, audit } = mutate(choosing('absent'), ruleWith(), other);
      expect(outcome).to.equal('Excluded');
      expect(audit.reason).to.equal('the named policy does not apply to this workload');
      expect(warnings).to.deep.equal([
        'vaultinjection.dev/policy: no such policy for this workload, nothing is injected; choose one of shop-secrets, other',
        'container app: DB_PASSWORD stays text: the named policy does not apply to this workload',
      ]);
    });
  });
});
