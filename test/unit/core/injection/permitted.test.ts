import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { shortHash } from '../../../../core/hash.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import type { SourceAnswer } from '../../../../core/injection/sources.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { knownSources, ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, containerOf, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

interface Case {
  readonly name: string;
  readonly env: readonly object[];
  readonly envFrom?: readonly object[];
  readonly sources?: Rule['sources'];
  readonly objects?: Readonly<Record<string, SourceAnswer>>;
  readonly references: object | null;
}
const table = new URL('../../../../vault-env/testdata/permitted.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(table, 'utf8')) as { readonly cases: readonly Case[] };

type Objects = Readonly<Record<string, SourceAnswer>>;

function admit(
  object: Workload,
  rule: Rule,
  objects?: Objects,
  more: { readonly stored?: unknown; readonly detailed?: boolean } = {},
): MutationResult & { readonly after: Workload } {
  const known = objects === undefined ? {} : { sources: knownSources(objects) };
  const input = { kind: 'Deployment', namespace: 'shop', name: 'web', object, rules: snapshotOf(rule) } as const;
  const result = mutateWorkload({ ...input, ...known, ...more });
  return { ...result, after: applyPatch(object, result.patch) as Workload };
}

function configOf(object: Workload, name = 'app'): { references?: object; environment?: object } {
  const { value = '' } = containerOf(object, name).env.at(-1) ?? {};
  return JSON.parse(value.replaceAll('$$', () => '$')) as { references?: object };
}

// names that are not in a manifest
const [DB_NAME, NEW] = [`=${shortHash('DB')}`, `=${shortHash('NEW')}`];
const WRITES = { environment: { writes: ['pki/*', 'secret/*'] } };

describe('what variables may refer to', () => {
  for (const { name, env, envFrom, sources, objects, references } of cases)
    it(`is told to vault-env: ${name}`, () => {
      const rule = ruleWith({ when: 'Always', ...(sources && { sources }), ...WRITES });
      const object = deployment({ containers: [container({ env: env.length > 0 ? env : undefined, envFrom })] });
      const { after, outcome } = admit(object, rule, objects ?? {});
      expect(outcome).to.equal('Injected');
      expect(configOf(after).references ?? null).to.deep.equal(references);
      // in the same order, so that no pods are rolled
      const told = JSON.stringify(configOf(after).references ?? null);
      const turned = Object.entries(objects ?? {}).map(([ref, answer]) => [ref, reversed(answer)] as const);
      expect(
        JSON.stringify(configOf(admit(object, rule, Object.fromEntries(turned)).after).references ?? null),
      ).to.equal(told);
      expect(admit(after, rule, objects ?? {}).patch).to.deep.equal([]);
      expect(admit(after, ruleWith({ ...rule, when: 'Annotation' })).after).to.deep.equal(object);
    });

  const APP = { env: [{ name: 'A', value: 'vault:kv/a#b' }], envFrom: [{ configMapRef: { name: 'app' } }] };
  const object = deployment({ containers: [container(APP)] });
  const DB = { data: { DB: 'vault:secret/data/shop/db#password' } };
  const OTHER = { data: { DB: 'vault:secret/data/other#password', NEW: 'vault:kv/new#a' } };

  describe('while nobody changes the workload', () => {
    const first = admit(object, ruleWith(), { 'ConfigMap app': DB }).after;
    const changed = { 'ConfigMap app': OTHER };

    it('is as it was, whatever the objects hold: the operator rolls no pods for it, and permits nothing new', () => {
      const asked = { ...first, metadata: { ...first.metadata, annotations: { 'vaultinjection.dev/requested': 'x' } } };
      for (const update of [first, asked])
        expect(admit(update, ruleWith(), changed, { stored: first })).to.deep.include({
          outcome: 'Unchanged',
          patch: [],
        });
      expect(admit(first, ruleWith(), changed, { detailed: true }).patch).to.deep.equal([]);
      expect(admit(first, ruleWith(), { 'ConfigMap app': { data: {} } }, { detailed: true }).patch).to.deep.equal([]);
    });

    it('is as it was when a manifest replaces it that knows nothing of the injection', () => {
      expect(admit(object, ruleWith(), changed, { stored: first }).after).to.deep.equal(first);
    });

    it('is read again under another rule', () => {
      const rule = ruleWith({ hash: 'bbbbbbbbbbbb', sources: { configMaps: 'Ignore' } });
      expect(configOf(admit(first, rule, changed, { stored: first }).after).references).to.deep.equal({ names: ['A'] });
    });

    it('is told to what an older operator has injected without it', () => {
      const { references, ...config } = configOf(first);
      expect(references).not.to.equal(undefined);
      const rule = ruleWith();
      const older = admit(deployment({ containers: [container({ env: APP.env })] }), rule).after;
      expect(configOf(older)).to.deep.equal(config);
      const [app] = older.spec.template.spec.containers;
      Object.assign(app ?? {}, { envFrom: APP.envFrom });
      const upgraded = admit(older, rule, { 'ConfigMap app': DB }, { stored: older });
      expect(configOf(upgraded.after).references).to.deep.equal(references);
      expect(admit(older, rule, { 'ConfigMap app': DB }, { detailed: true }).patch).not.to.deep.equal([]);
    });
  });

  it('is read again when somebody changes the workload, as kubectl rollout restart does', () => {
    const first = admit(object, ruleWith(), { 'ConfigMap app': DB }).after;
    const restarted = structuredClone(first) as Workload & {
      spec: { template: { metadata: { annotations: Record<string, string> } } };
    };
    restarted.spec.template.metadata.annotations['kubectl.kubernetes.io/restartedAt'] = 'now';
    const { after } = admit(restarted, ruleWith(), { 'ConfigMap app': OTHER }, { stored: first });
    expect(Object.keys((configOf(after).references as { paths: object }).paths)).to.deep.equal([NEW, DB_NAME]);
  });

  it('changes when the workload is created again, by what its objects hold then', () => {
    const first = admit(object, ruleWith(), { 'ConfigMap app': DB }).after;
    const second = admit(first, ruleWith(), { 'ConfigMap app': OTHER });
    expect(Object.keys((configOf(second.after).references as { paths: object }).paths)).to.deep.equal([NEW, DB_NAME]);
    expect(configOf(second.after)).not.to.deep.equal(configOf(first));
  });

  it('does not change with what a ConfigMap holds besides references, nor with keys and versions of a path', () => {
    const first = admit(object, ruleWith(), { 'ConfigMap app': DB }).after;
    const same = { data: { DB: 'vault:secret/data/shop/db#user#7', COLOUR: '' } };
    expect(admit(first, ruleWith(), { 'ConfigMap app': same }).patch).to.deep.equal([]);
  });

  for (const [what, answer] of [
    ['cannot be read now', { unreadable: 'no answer in time' }],
    ['is gone', { missing: true }],
  ] as const)
    it(`stays as it was while an object ${what}, and changes with it when it is back`, () => {
      const rule = ruleWith({ policy: { generation: 1 } });
      const first = admit(object, rule, { 'ConfigMap app': DB }).after;
      expect(admit(first, rule, { 'ConfigMap app': answer })).to.deep.include({ patch: [], warnings: [] });
      expect(admit(first, rule).patch).to.deep.equal([]);
      const other = ruleWith({ hash: 'bbbbbbbbbbbb', vault: { timeout: '11s' } });
      const later = admit(first, other, { 'ConfigMap app': answer });
      expect(configOf(later.after).references).to.deep.equal(configOf(first).references);
      expect(admit(later.after, other, { 'ConfigMap app': answer }).patch).to.deep.equal([]);
      const back = admit(later.after, other, { 'ConfigMap app': { data: { DB: '' } } }).after;
      expect(configOf(back).references).to.deep.equal({ names: ['A'] });
    });

  it('is nothing of an object that cannot be read, with a warning that says so', () => {
    const rule = ruleWith();
    const closed = admit(object, rule, { 'ConfigMap app': { unreadable: 'no answer in time' } });
    expect(configOf(closed.after).references).to.deep.equal({ names: ['A'] });
    expect(closed.warnings).to.deep.equal([
      'container app: references in ConfigMap app stay text, as it cannot be read',
      'ConfigMap app: no answer in time',
    ]);
    const absent = admit(object, rule, { 'ConfigMap app': { missing: true } });
    expect(configOf(absent.after).references).to.deep.equal({ names: ['A'] });
    expect(absent.warnings).to.deep.equal([
      'container app: apply it again when ConfigMap app exists, or references in it stay text',
    ]);
  });

  it('is told for each container by itself, and leaves the rest of the configuration as it is', () => {
    const plain = container({ name: 'plain' });
    const both = deployment({ containers: [container(APP), plain, container({ ...APP, name: 'b', env: [] })] });
    const { after } = admit(both, ruleWith({ when: 'Always' }), { 'ConfigMap app': DB });
    const { references, ...rest } = configOf(after);
    expect(references).to.have.property('names');
    expect(configOf(after, 'b').references).not.to.have.property('names');
    expect(configOf(after, 'plain')).to.deep.equal(rest);
  });

  it('doubles every $ of a name, which the kubelet undoes', () => {
    const odd = deployment({
      containers: [container({ env: [{ name: '$(HOME)', value: 'vault:a#b' }], envFrom: APP.envFrom })],
    });
    const { after } = admit(odd, ruleWith(), { 'ConfigMap app': DB });
    expect(containerOf(after, 'app').env.at(-1)?.value).to.contain('"names":["$$(HOME)"]');
  });

  it('does not grow with what the kubelet would expand: such a container does not start', () => {
    const seed = { name: 'V0', value: 'x'.repeat(1000) + 'vault:a#b' };
    const twice = Array.from({ length: 60 }, (_, at) => ({ name: `V${at + 1}`, value: `$(V${at})$(V${at})` }));
    const often = { name: 'MANY', value: '$(V9)'.repeat(50_000) };
    const end = { name: 'END', value: 'vault:a#b' };
    const grown = deployment({ containers: [container({ env: [seed, ...twice, often, end], envFrom: APP.envFrom })] });
    const { after } = admit(grown, ruleWith(), { 'ConfigMap app': { data: {} } });
    expect(configOf(after).references).to.deep.equal({ names: ['END'] });
  });

  it('shows neither values nor paths of the objects', () => {
    const { after } = admit(object, ruleWith(), { 'ConfigMap app': DB });
    expect(JSON.stringify(after)).not.to.contain('secret/data/shop');
  });
});

function reversed(answer: SourceAnswer): SourceAnswer {
  return 'data' in answer ? { data: Object.fromEntries(Object.entries(answer.data).reverse()) } : answer;
}
