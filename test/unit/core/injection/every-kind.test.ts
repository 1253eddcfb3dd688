import { expect } from 'chai';

import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import { asObject } from '../../../../core/json.ts';
import type { RawObject } from '../../../../core/json.ts';
import { apiVersionOf, KINDS, templateOf, WORKLOAD_KINDS } from '../../../../core/kinds.ts';
import type { BuiltInKind } from '../../../../core/kinds.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container } from '../../../support/example-workload.ts';

const all = ruleWith({ targets: WORKLOAD_KINDS });
const newer = ruleWith({
  targets: WORKLOAD_KINDS,
  vault: { address: 'https://other.vault.svc:8200' },
  hash: 'ffffffffffff',
});
const IMMUTABLE = WORKLOAD_KINDS.filter((kind) => !KINDS[kind].templateMayChange);

function objectOf(kind: BuiltInKind, fields: object = {}, metadata: object = {}): RawObject {
  const template = { metadata: { labels: { app: 'it' } }, spec: { containers: [container(fields)] } };
  const path = KINDS[kind].template;
  const nested = path.reduceRight<unknown>((inner, field) => ({ [field]: inner }), template) as RawObject;
  const own = { name: 'it', namespace: 'shop', ...(path.length === 0 && template.metadata), ...metadata };
  return { apiVersion: apiVersionOf(kind), kind, ...nested, metadata: own };
}

function review(kind: BuiltInKind, object: unknown, rules: readonly Rule[], stored?: unknown): MutationResult {
  const about = { kind, namespace: 'shop', name: 'it', rules: snapshotOf(...rules) } as const;
  return mutateWorkload({ ...about, object, ...(stored !== undefined && { stored }) });
}

function admittedAs(kind: BuiltInKind, object: RawObject, rule: Rule, stored?: unknown): RawObject {
  const { denial, patch } = review(kind, object, [rule], stored);
  expect(denial).to.equal(undefined);
  return applyPatch(object, patch) as RawObject;
}

function commandOf(kind: BuiltInKind, object: RawObject): unknown {
  const [first] = asObject(templateOf(kind, object)?.spec)?.containers as readonly RawObject[];
  return first?.command;
}

/** What people have: their manifest over what is stored, as `kubectl apply` merges it. */
function appliedAgain(kind: BuiltInKind, stored: RawObject, fields: object = {}): RawObject {
  const merged = structuredClone(stored);
  const [app] = asObject(templateOf(kind, merged)?.spec)?.containers as [Record<string, unknown>];
  Object.assign(app, { command: ['/app'], args: ['--port=80'], ...fields });
  return merged;
}

describe('admission of every kind', () => {
  for (const kind of WORKLOAD_KINDS) {
    it(`puts vault-env in front of the program of a ${kind}, and a second time changes nothing`, () => {
      const stored = admittedAs(kind, objectOf(kind), all);
      expect(commandOf(kind, stored)).to.deep.equal(['/vault-env/vault-env']);
      const again = review(kind, stored, [all]);
      expect([again.patch, again.warnings], 'nor does it warn of what it has added').to.deep.equal([[], []]);
    });

    it(`leaves a ${kind} alone that the policy does not name`, () => {
      const others = ruleWith({ targets: WORKLOAD_KINDS.filter((other) => other !== kind) });
      const { outcome, patch } = review(kind, objectOf(kind), [others]);
      expect([outcome, patch]).to.deep.equal(['NoPolicy', []]);
    });
  }

  for (const kind of WORKLOAD_KINDS.filter((one) => KINDS[one].templateMayChange)) {
    it(`gives a ${kind} its own command back when no policy names it any more`, () => {
      const object = objectOf(kind);
      const stored = admittedAs(kind, object, all);
      expect(applyPatch(stored, review(kind, stored, [], stored).patch)).to.deep.equal(object);
    });
  }
});

describe('an update of what cannot change', () => {
  for (const kind of IMMUTABLE) {
    it(`stores a ${kind} as it is, whatever the policy says now: applied again`, () => {
      const stored = admittedAs(kind, objectOf(kind), all);
      for (const rules of [[all], [newer], []]) {
        const again = appliedAgain(kind, stored);
        const { outcome, patch } = review(kind, again, rules, stored);
        expect(applyPatch(again, patch)).to.deep.equal(stored);
        expect(outcome).to.equal('Unchanged');
      }
    });

    it(`stores a ${kind} as it is when it is replaced by its manifest, which names nothing of ours`, () => {
      const stored = admittedAs(kind, objectOf(kind), all);
      const manifest = objectOf(kind);
      expect(applyPatch(manifest, review(kind, manifest, [newer], stored).patch)).to.deep.equal(stored);
    });

    it(`keeps what else has changed in the template of a ${kind}, for the API server to judge`, () => {
      const stored = admittedAs(kind, objectOf(kind), all);
      const again = appliedAgain(kind, stored, { image: 'registry.example.com/app:2' });
      const template = templateOf(kind, again) as { metadata: { labels: Record<string, string> }; spec: RawObject };
      template.metadata.labels.tier = 'night';
      template.spec = { ...template.spec, tolerations: [{ key: 'spot' }] };
      const after = applyPatch(again, review(kind, again, [all], stored).patch) as RawObject;
      const [app] = asObject(templateOf(kind, after)?.spec)?.containers as readonly RawObject[];
      expect(app).to.include({ image: 'registry.example.com/app:2' });
      expect(commandOf(kind, after)).to.deep.equal(['/vault-env/vault-env']);
      expect(templateOf(kind, after)?.spec).to.have.deep.property('tolerations', [{ key: 'spot' }]);
      expect(templateOf(kind, after)?.metadata).to.have.nested.property('labels.tier', 'night');
    });

    it(`adds nothing to a ${kind} that was stored without an injection`, () => {
      const stored = objectOf(kind);
      const again = objectOf(kind, {}, { labels: { app: 'other' } });
      const { outcome, patch, denial } = review(kind, again, [ruleWith({ ...all, failurePolicy: 'Fail' })], stored);
      expect([outcome, patch, denial]).to.deep.equal(['Unchanged', [], undefined]);
    });

    it(`says that a ${kind} keeps its injection where it asks not to be injected`, () => {
      const stored = admittedAs(kind, objectOf(kind), all);
      const again = structuredClone(stored) as { metadata: { annotations?: Record<string, string> } };
      again.metadata.annotations = { ...again.metadata.annotations, 'vaultinjection.dev/inject': 'false' };
      const { patch, warnings } = review(kind, again, [all], stored);
      expect(patch).to.deep.equal([]);
      expect(warnings.join()).to.contain('delete it, and create it again');
    });
  }
});

describe('a hostile update of a Job', () => {
  const stored = admittedAs('Job', objectOf('Job'), all);

  it('with very much in a place very deep is compared a few times, and not once for each level', () => {
    const deep = (last: string): object => {
      const leaf: unknown = { items: [...Array.from({ length: 19_000 }, (_, index) => `v${index}`), last] };
      return Array.from({ length: 150 }).reduce<object>((inner) => ({ a: inner }), leaf as object);
    };
    const before = admittedAs('Job', objectOf('Job', { livenessProbe: deep('x') }), all);
    const again = appliedAgain('Job', before, { livenessProbe: deep('y') });
    const after = applyPatch(again, review('Job', again, [all], before).patch) as RawObject;
    const [app] = asObject(templateOf('Job', after)?.spec)?.containers as readonly RawObject[];
    expect(commandOf('Job', after)).to.deep.equal(['/vault-env/vault-env']);
    expect(app?.livenessProbe).to.deep.equal(deep('y'));
  });

  it('with lists that have no names, or the same twice, is left to the API server', () => {
    for (const containers of [[7, 'x'], [{ name: 'app' }, { name: 'app' }], 'none', null, [{ name: 'constructor' }]]) {
      const again = structuredClone(stored) as { spec: { template: { spec: Record<string, unknown> } } };
      again.spec.template.spec.containers = containers;
      expect(review('Job', again, [all], stored)).to.include({ outcome: 'Unchanged' });
    }
  });

  it('with names that every object has is merged like any other', () => {
    const again = structuredClone(stored) as { spec: { template: { metadata: { labels: object } } } };
    again.spec.template.metadata.labels = JSON.parse('{"app": "it", "__proto__": "x", "constructor": "y"}') as object;
    const after = applyPatch(again, review('Job', again, [all], stored).patch) as typeof again;
    expect(Object.keys(after.spec.template.metadata.labels)).to.include.members(['__proto__', 'constructor', 'app']);
  });
});

describe('what a controller has made from a template', () => {
  const owned = (apiVersion: string, kind: string): object => ({
    ownerReferences: [{ apiVersion, kind, name: 'it', uid: 'u', controller: true }],
  });
  const ofCronJob = owned('batch/v1', 'CronJob');
  const ofReplicaSet = { ...owned('apps/v1', 'ReplicaSet'), labels: { 'pod-template-hash': '1' } };

  it('is left alone where that template is injected, also by a policy of another generation', () => {
    for (const [kind, metadata] of [
      ['Job', ofCronJob],
      ['Pod', ofReplicaSet],
    ] as const) {
      const injected = admittedAs(kind, objectOf(kind), all);
      const made = { ...injected, metadata: { ...(injected.metadata as object), ...metadata } };
      for (const rules of [[all], [newer], [ruleWith({ targets: [kind] })], []]) {
        const { outcome, patch } = review(kind, made, rules);
        expect([outcome, patch], kind).to.deep.equal(['Unchanged', []]);
      }
    }
  });

  const rows: readonly [string, BuiltInKind, object, readonly BuiltInKind[], boolean][] = [
    ['a Job of a CronJob whose policy names both', 'Job', ofCronJob, ['CronJob', 'Job'], false],
    ['a Job of a CronJob whose policy names Jobs alone', 'Job', ofCronJob, ['Job'], true],
    ['a Job of another operator', 'Job', owned('example.com/v1', 'Pipeline'), ['CronJob', 'Job'], true],
    ['a pod of a Deployment whose policy names both', 'Pod', ofReplicaSet, ['Deployment', 'Pod'], false],
    ['a pod of a Deployment whose policy names pods alone', 'Pod', ofReplicaSet, ['Pod'], true],
    ['a pod of a Job whose policy names Jobs', 'Pod', owned('batch/v1', 'Job'), ['Job', 'Pod'], false],
    ['a pod of another operator', 'Pod', owned('postgresql.cnpg.io/v1', 'Cluster'), ['Deployment', 'Pod'], true],
    ['a bare pod', 'Pod', {}, ['Deployment', 'Pod'], true],
    ['a ReplicaSet of a Deployment', 'ReplicaSet', owned('apps/v1', 'Deployment'), ['ReplicaSet'], false],
    ['a ReplicaSet of another operator', 'ReplicaSet', owned('argoproj.io/v1alpha1', 'Rollout'), ['ReplicaSet'], false],
    ['a ReplicaSet of nobody', 'ReplicaSet', {}, ['ReplicaSet'], true],
  ];
  for (const [what, kind, metadata, targets, isInjected] of rows)
    it(`${isInjected ? 'is' : 'is not'} injected itself: ${what}`, () => {
      const { outcome } = review(kind, objectOf(kind, {}, metadata), [ruleWith({ targets })]);
      expect(outcome).to.equal(isInjected ? 'Injected' : 'NoPolicy');
    });
});
