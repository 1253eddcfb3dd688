import { expect } from 'chai';
import type { Rule } from '../../../../core/policy/rule.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import type { SourceAnswer } from '../../../../core/injection/sources.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { knownSources, ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, containerOf, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const DATA = { data: { DB: 'vault:secret/data/shop/db#password' } } as const;
const PLAIN = { data: { DB: '' } } as const;
const CLOSED = { unreadable: 'the operator may not read it' } as const;
const GONE = { missing: true } as const;
const WEB = { name: 'web', env: undefined, envFrom: [{ configMapRef: { name: 'app' } }] };
const SECRET = { name: 'web', env: undefined, envFrom: [{ secretRef: { name: 'db' } }] };
const READ = { configMaps: 'Read', secrets: 'Read' } as const;

function admit(
  object: Workload,
  rule: Rule,
  objects?: Readonly<Record<string, SourceAnswer>>,
): MutationResult & { readonly after: Workload } {
  const known = objects === undefined ? {} : { sources: knownSources(objects) };
  const result = mutateWorkload({
    kind: 'Deployment',
    namespace: 'shop',
    name: 'web',
    object,
    rules: snapshotOf(rule),
    ...known,
  });
  return { ...result, after: applyPatch(object, result.patch) as Workload };
}

const web = (fields: object = WEB, own?: object): Workload =>
  deployment({ containers: [container(fields)] }, undefined, own);
const isWrapped = (object: Workload, name = 'web'): boolean =>
  containerOf(object, name).command.includes('/vault-env/vault-env');

describe('references that ConfigMaps and Secrets hold', () => {
  it('are asked for, and wrap their container once they are known', () => {
    const first = admit(web(), ruleWith());
    expect(first).to.deep.include({
      outcome: 'Unchanged',
      sourceNeeds: { objects: [{ kind: 'ConfigMap', name: 'app' }] },
    });
    const second = admit(web(), ruleWith(), { 'ConfigMap app': DATA });
    expect(second.outcome).to.equal('Injected');
    expect(second).not.to.have.property('sourceNeeds');
    expect(isWrapped(second.after)).to.equal(true);
    const third = admit(second.after, ruleWith(), { 'ConfigMap app': DATA });
    expect([third.outcome, third.patch]).to.deep.equal(['Unchanged', []]);
  });

  it('are found in init containers and containers alike, each by what it gets', () => {
    const object = deployment({
      initContainers: [container({ ...SECRET, name: 'migrate' }), container({ ...WEB, name: 'wait' })],
      containers: [container(SECRET), container({ ...WEB, name: 'side' })],
    });
    const { after } = admit(object, ruleWith({ sources: READ }), { 'Secret db': DATA, 'ConfigMap app': PLAIN });
    const names = ['migrate', 'wait', 'web', 'side'];
    expect(names.filter((name) => isWrapped(after, name))).to.deep.equal(['migrate', 'web']);
  });

  it('leave a container alone if they are gone', () => {
    const { after } = admit(web(), ruleWith(), { 'ConfigMap app': DATA });
    const later = admit(after, ruleWith(), { 'ConfigMap app': PLAIN });
    expect(later.outcome).to.equal('Restored');
    expect(later.after).to.deep.equal(web());
  });

  it('are not asked for in a container that the policy leaves out', () => {
    const rule = ruleWith({ containers: { exclude: ['web'] } });
    expect(admit(web(), rule))
      .to.deep.include({ outcome: 'Unchanged', warnings: [] })
      .and.not.to.have.property('sourceNeeds');
  });

  it('are reported if they are malformed, with the object that holds them', () => {
    const bad = { data: { DB: 'vault:secret/data/shop/db' } };
    const { warnings } = admit(web(), ruleWith(), { 'ConfigMap app': bad });
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/^container web, a variable from ConfigMap app: there is no "#"/);
  });

  describe('outside of the allowed paths', () => {
    const rule = ruleWith({ sources: READ, environment: { allowedPaths: ['secret/data/team/*'] } });
    it('are denied', () => {
      const { denial } = admit(web(), rule, { 'ConfigMap app': DATA });
      expect(denial?.reason).to.equal('PathNotAllowed');
      expect(denial?.message).to.match(
        /^container web, a variable from ConfigMap app: refers to a path, which policy [a-z-]+ does not allow; allowed: /,
      );
    });
    it('are denied without a word of what a Secret holds', () => {
      const { denial } = admit(web(SECRET), rule, { 'Secret db': DATA });
      expect(denial?.message)
        .to.match(/^container web, a variable from Secret db: refers to a path, which policy/)
        .and.not.contain('shop/db');
    });
    it('are denied if the text only looks as if the kubelet expanded it', () => {
      const odd = { data: { DB: 'vault:secret/$(X)/db#k' } };
      expect(admit(web(), rule, { 'ConfigMap app': odd }).denial?.reason).to.equal('PathNotAllowed');
    });
  });

  it('tell rotation which paths no manifest names', () => {
    const env = [
      { name: 'A', value: 'vault:kv/data/own#a' },
      { name: 'B', value: 'vault:kv/data/both#b' },
    ];
    const held = { data: { C: 'vault:kv/data/both#c', D: 'vault:kv/data/held#d', E: 'vault:kv/data/pinned#e#3' } };
    const rules = snapshotOf(ruleWith());
    const input = { kind: 'Deployment', namespace: 'shop', name: 'web', rules, sources: () => held } as const;
    const written = web({ ...WEB, env });
    const stored = applyPatch(written, mutateWorkload({ ...input, object: written }).patch);
    const { details } = mutateWorkload({ ...input, object: stored, detailed: true });
    expect(details?.reads).to.deep.equal(['kv/data/both', 'kv/data/held', 'kv/data/own']);
    expect(details?.hiddenReads).to.deep.equal(['kv/data/held']);
    const before = mutateWorkload({ ...input, object: written, detailed: true }).details;
    expect([before?.reads, before?.hiddenReads], 'nothing that no pod reads').to.deep.equal([[], undefined]);
  });

  describe('in an object that cannot be read', () => {
    it('keep the workload out unless the policy ignores failures', () => {
      const { denial } = admit(web(SECRET), ruleWith({ sources: READ }), { 'Secret db': CLOSED });
      expect(denial).to.deep.equal({
        reason: 'SourceUnreadable',
        message: 'container web has env from Secret db, which cannot be read: the operator may not read it',
      });
    });

    it('are reported if it does', () => {
      const rule = ruleWith({ sources: READ, failurePolicy: 'Ignore' });
      const { outcome, warnings, audit } = admit(web(SECRET), rule, { 'Secret db': CLOSED });
      expect([outcome, audit.reason]).to.deep.equal(['Unchanged', 'not injected: web:SourceUnreadable']);
      expect(warnings).to.deep.equal([
        'not injected: container web has env from Secret db, which cannot be read',
        'Secret db: the operator may not read it',
      ]);
    });

    it('do not keep out a container that is wrapped anyway, and stay text', () => {
      const both = web({ ...SECRET, env: [{ name: 'A', value: 'vault:kv/a#b' }] });
      for (const [object, change] of [
        [both, {}],
        [web(SECRET), { when: 'Always' }],
      ] as const) {
        const result = admit(object, ruleWith({ sources: READ, ...change }), { 'Secret db': CLOSED });
        expect([result.outcome, result.warnings]).to.deep.equal([
          'Injected',
          [
            'container web: references in Secret db stay text, as it cannot be read',
            'Secret db: the operator may not read it',
          ],
        ]);
      }
    });

    for (const [what, answer] of [
      ['cannot be read now', CLOSED],
      ['is gone', GONE],
      ['lacks the key', { data: {} }],
    ] as const) {
      it(`stay injected if the object ${what}`, () => {
        const rule = ruleWith({ sources: READ });
        const fields = { name: 'web', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'db', key: 'DB' } } }] };
        const { after } = admit(web(fields), rule, { 'Secret db': DATA });
        const later = admit(after, rule, { 'Secret db': answer });
        expect([later.outcome, later.patch]).to.deep.equal(['Unchanged', []]);
      });
    }

    it('stay injected if nobody was asked', () => {
      const { after } = admit(web(), ruleWith(), { 'ConfigMap app': DATA });
      expect(admit(after, ruleWith()).patch).to.deep.equal([]);
    });
  });

  describe('in an object that does not exist', () => {
    it('are reported, because the pods wait for it', () => {
      const { outcome, warnings } = admit(web(), ruleWith(), { 'ConfigMap app': GONE });
      expect(outcome).to.equal('Unchanged');
      expect(warnings).to.deep.equal([
        'container web: ConfigMap app does not exist yet; the operator looks for references when it does',
      ]);
    });
    it('are none if it is optional', () => {
      const optional = { ...WEB, envFrom: [{ configMapRef: { name: 'app', optional: true } }] };
      expect(admit(web(optional), ruleWith(), { 'ConfigMap app': GONE })).to.deep.include({
        outcome: 'Unchanged',
        warnings: [],
      });
    });
  });

  describe('in an object that must not be read', () => {
    const warning = 'env of container web from Secret db is not read (inject.sources.secrets: Ignore)';
    const referring = container({ name: 'app' });
    const two = (...containers: object[]): object => ({ containers: containers.map((one) => container(one)) });
    const cases: readonly [
      what: string,
      podSpec: object,
      own: object | undefined,
      rule: object,
      warnings: readonly string[],
    ][] = [
      ['are told of where nothing of the workload is wrapped', two(SECRET), undefined, {}, [warning]],
      [
        'are told of in one line for all objects',
        two(SECRET, { ...SECRET, name: 'side', envFrom: [{ secretRef: { name: 'other' } }] }),
        undefined,
        {},
        ['env of container web from Secret db and 1 more is not read (inject.sources.secrets: Ignore)'],
      ],
      ['are not told of where something is wrapped', { containers: [container(SECRET), referring] }, undefined, {}, []],
      [
        'are told of where something is wrapped, and the workload asked to be injected',
        { containers: [container(SECRET), referring] },
        { 'vaultinjection.dev/inject': 'true' },
        {},
        [warning],
      ],
      [
        'are told of where the workload has to ask',
        two(SECRET),
        { 'vaultinjection.dev/inject': 'true' },
        { when: 'Annotation' },
        [warning],
      ],
      ['are not told of where it did not ask', two(SECRET), undefined, { when: 'Annotation' }, []],
      ['are not told of where the policy wraps everything', two(SECRET), undefined, { when: 'Always' }, []],
      [
        'are told of for ConfigMaps as well',
        two(WEB),
        undefined,
        { sources: { configMaps: 'Ignore', secrets: 'Ignore' } },
        ['env of container web from ConfigMap app is not read (inject.sources.configMaps: Ignore)'],
      ],
    ];
    for (const [what, podSpec, own, rule, warnings] of cases) {
      it(what, () =>
        expect(admit(deployment(podSpec, undefined, own), ruleWith(rule), {}).warnings).to.deep.equal(warnings),
      );
    }
  });

  it('are assumed if the policy says so', () => {
    const rule = ruleWith({ sources: { configMaps: 'Assume', secrets: 'Assume' } });
    for (const fields of [WEB, SECRET]) {
      const result = admit(web(fields), rule);
      expect(result.outcome).to.equal('Injected');
      expect(result).not.to.have.property('sourceNeeds');
    }
  });
});
