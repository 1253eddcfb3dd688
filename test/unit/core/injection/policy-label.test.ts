import { expect } from 'chai';

import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import { labelValue, POLICY_LABEL } from '../../../../core/injection/policy-label.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { standingOf } from '../../../../core/workload/standing.ts';
import { workloadOf } from '../../../../core/workload/workload.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { admitted, mutate } from '../../../support/admitted.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, containerOf, deployment, recordOf, templateOf } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';
import { applyManifest } from './manifest-apply.ts';
import { stored } from './api-server.ts';

// k8s.io/apimachinery/pkg/util/validation: IsValidLabelValue
const VALID = /^(?=.{0,63}$)(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const rule = ruleWith();
const other = ruleWith({ policy: { name: 'other', uid: 'uid-2' }, hash: 'bbbbbbbbbbbb' });
const plain = deployment({ containers: [container()] });

const labelsOf = (object: Workload): unknown => templateOf(object).metadata.labels;

/** The workload with these labels in its template. */
function labelled(labels: unknown, object = plain): Workload {
  const copy = structuredClone(object);
  templateOf(copy).metadata.labels = labels as Record<string, string>;
  return copy;
}

/** The workload, whose own selector is this. */
function selecting(selector: object, object: Workload): Workload {
  return { ...object, spec: { ...object.spec, selector } };
}

/** As an operator that did not know the label left it. */
function injectedBefore(object: Workload, by: Rule = rule): Workload {
  return labelled({ app: 'web' }, stored(admitted(object, by)));
}

/** What an update of `before` to `object` becomes. */
function updated(before: Workload, object: Workload, ...rules: readonly Rule[]): Workload {
  const input = { kind: 'Deployment', namespace: 'shop', name: 'web', rules: snapshotOf(...rules) } as const;
  return applyPatch(object, mutateWorkload({ ...input, object, stored: before }).patch) as Workload;
}

describe('the label of an injected template', () => {
  it('names the policy, beside the labels that were there', () => {
    expect(labelsOf(admitted(plain, rule))).to.deep.equal({ app: 'web', [POLICY_LABEL]: 'shop-secrets' });
    expect(recordOf(admitted(plain, rule))).not.to.have.property('ownLabel');
  });

  it('is not there if nothing is injected', () => {
    const quiet = deployment({ containers: [container({ env: [] })] });
    expect(mutate(quiet, rule).patch).to.deep.equal([]);
  });

  it('is removed with the injection, and leaves no empty map behind', () => {
    const bare = labelled(undefined);
    Reflect.deleteProperty(templateOf(bare).metadata, 'labels');
    for (const object of [plain, bare]) expect(admitted(admitted(object, rule))).to.deep.equal(object);
    expect(labelsOf(admitted(bare, rule))).to.deep.equal({ [POLICY_LABEL]: 'shop-secrets' });
  });

  it('is found in place by a second admission', () => {
    expect(mutate(admitted(plain, rule), rule).patch).to.deep.equal([]);
  });

  it('follows the policy', () => {
    const { patch } = mutate(admitted(plain, rule), other);
    expect(patch[0]).to.deep.equal({
      op: 'replace',
      path: '/spec/template/metadata/labels/vaultinjection.dev~1policy',
      value: 'other',
    });
  });

  it('is put back if somebody removes it', () => {
    const live = admitted(plain, rule);
    expect(updated(live, labelled({ app: 'web' }, live), rule)).to.deep.equal(live);
  });

  it('does not change which policy selects the workload', () => {
    const selector = { matchExpressions: [{ key: POLICY_LABEL, operator: 'DoesNotExist' as const, values: [] }] };
    const picky = ruleWith({ selector });
    expect(mutate(admitted(plain, picky), picky)).to.include({ outcome: 'Unchanged' });
  });

  describe('has a value that the API server takes', () => {
    const long = (length: number): string => `${'a.'.repeat(length / 2 - 1)}-z`;
    for (const name of ['shop', 'a', 'shop.team-1.example', 'x'.repeat(63), 'x'.repeat(64), long(64), long(252)]) {
      it(`for a policy named ${name.slice(0, 24)}, of ${name.length} characters`, () => {
        const value = labelsOf(admitted(plain, ruleWith({ policy: { name } }))) as Record<string, string>;
        expect(value[POLICY_LABEL]).to.equal(labelValue(name)).and.to.match(VALID);
        const again = ruleWith({ policy: { name } });
        expect(mutate(admitted(plain, again), again).patch).to.deep.equal([]);
        expect(admitted(admitted(plain, again))).to.deep.equal(plain);
      });
    }
    it('which is the name itself if it is short enough, else its beginning and a hash', () => {
      expect(labelValue('x'.repeat(63))).to.equal('x'.repeat(63));
      expect(labelValue('x'.repeat(64))).to.match(/^x{50}-[0-9a-f]{12}$/);
      expect(labelValue(`${'x'.repeat(64)}a`)).not.to.equal(labelValue(`${'x'.repeat(64)}b`));
    });
  });

  describe('is left alone if it is the user’s own', () => {
    for (const value of ['mine', 'shop-secrets', '', 'x'.repeat(5000), '../$(rm)\u0000']) {
      it(`${JSON.stringify(value.slice(0, 20))}: by injection, later admissions, another policy and restoring`, () => {
        const object = labelled({ [POLICY_LABEL]: value });
        const first = admitted(object, rule);
        expect(labelsOf(first)).to.deep.equal({ [POLICY_LABEL]: value });
        expect(recordOf(first).ownLabel).to.equal(true);
        expect(mutate(first, rule)).to.deep.include({ patch: [], warnings: [] });
        expect(labelsOf(admitted(first, other))).to.deep.equal({ [POLICY_LABEL]: value });
        expect(admitted(admitted(first, other))).to.deep.equal(object);
      });
    }

    it('and replaced when the user drops it', () => {
      const [first, second] = [labelled({ app: 'web', [POLICY_LABEL]: 'mine' }), plain];
      const live = applyManifest(first, second, admitted(first, rule));
      expect(admitted(live, rule)).to.deep.equal(admitted(second, rule));
    });

    it('also if a manifest brings it while the template is injected', () => {
      const second = labelled({ app: 'web', [POLICY_LABEL]: 'mine' });
      const live = applyManifest(plain, second, admitted(plain, rule));
      expect(admitted(live, rule)).to.deep.equal(admitted(second, rule));
      expect(admitted(live)).to.deep.equal(second);
    });

    it('in a template that is not injected, where it may have come with a copy', () => {
      expect(mutate(labelled({ [POLICY_LABEL]: 'shop-secrets' })).patch).to.deep.equal([]);
    });

    for (const labels of [null, [], 'text', 7, { [POLICY_LABEL]: 7 }, { [POLICY_LABEL]: null }]) {
      it(`or nothing that it could be put into: ${JSON.stringify(labels)}`, () => {
        const first = admitted(labelled(labels), rule);
        expect(labelsOf(first)).to.deep.equal(labels);
        expect(admitted(first)).to.deep.equal(labelled(labels));
      });
    }
  });

  describe('stays what the workload’s own selector needs', () => {
    const selectors: [string, object, object][] = [
      ['equality', { matchLabels: { [POLICY_LABEL]: 'shop-secrets' } }, { [POLICY_LABEL]: 'shop-secrets' }],
      [
        'a value',
        { matchExpressions: [{ key: POLICY_LABEL, operator: 'In', values: ['x'] }] },
        { [POLICY_LABEL]: 'x' },
      ],
      [
        'absence',
        { matchLabels: { app: 'web' }, matchExpressions: [{ key: POLICY_LABEL, operator: 'DoesNotExist' }] },
        { app: 'web' },
      ],
    ];
    for (const [what, selector, labels] of selectors) {
      it(`${what}, also when the annotations are gone`, () => {
        const object = selecting(selector, labelled(labels));
        const first = admitted(object, rule);
        expect(labelsOf(first)).to.deep.equal(labels);
        expect(mutate(first, rule).patch).to.deep.equal([]);
        Reflect.deleteProperty(templateOf(first).metadata, 'annotations');
        expect(labelsOf(admitted(first, other))).to.deep.equal(labels);
        expect(labelsOf(admitted(first))).to.deep.equal(labels);
      });
    }

    it('and any other selector does not matter', () => {
      for (const selector of [null, [], { matchLabels: 7, matchExpressions: [null, 7, {}] }]) {
        const first = admitted(selecting(selector as object, plain), rule);
        expect(labelsOf(first)).to.have.property(POLICY_LABEL, 'shop-secrets');
      }
    });
  });

  describe('without a usable record', () => {
    for (const name of ['original', 'injected', undefined]) {
      it(`is known by the structure of the rest, annotations without ${name ?? 'any of ours'}`, () => {
        const live = admitted(plain, rule);
        if (name === undefined) Reflect.deleteProperty(templateOf(live).metadata, 'annotations');
        else Reflect.deleteProperty(templateOf(live).metadata.annotations, `vaultinjection.dev/${name}`);
        expect(labelsOf(admitted(live))).to.deep.equal({ app: 'web' });
        expect(labelsOf(admitted(live, other))).to.deep.equal({ app: 'web', [POLICY_LABEL]: 'other' });
      });
    }

    it('is the user’s if what injected would have written another one', () => {
      const live = labelled({ [POLICY_LABEL]: 'mine' }, admitted(plain, rule));
      Reflect.deleteProperty(templateOf(live).metadata.annotations, 'vaultinjection.dev/original');
      expect(labelsOf(admitted(live))).to.deep.equal({ [POLICY_LABEL]: 'mine' });
    });
  });

  it('comes back with the template of rollout undo, under the current policy', () => {
    const older = admitted(deployment({ containers: [container({ args: ['--v=1'] })] }), rule);
    const current = admitted(deployment({ containers: [container({ args: ['--v=2'] })] }), other);
    const undone = { ...current, spec: { ...current.spec, template: templateOf(older) } };
    expect(labelsOf(updated(current, undone, other))).to.deep.equal({ app: 'web', [POLICY_LABEL]: 'other' });
  });

  describe('of a workload that was injected before there was the label', () => {
    const before = injectedBefore(plain);
    const standing = (object: Workload, ...rules: readonly Rule[]): string | undefined =>
      standingOf(workloadOf(object as unknown as KubernetesObject), object, snapshotOf(...rules))?.state;

    it('is missed by nobody: it is not outdated, and an update of something else does not roll its pods', () => {
      expect(standing(before, rule)).to.equal('Injected');
      const scaled = { ...before, metadata: { ...before.metadata, annotations: { note: '1' } } };
      expect(updated(before, scaled, rule)).to.deep.equal(scaled);
    });

    it('nor does an apply of the same manifest, or a new generation of the policy that injects the same', () => {
      const next = ruleWith({ policy: { generation: 2 } });
      for (const by of [rule, next]) {
        expect(updated(before, stored(applyManifest(plain, plain, before)), by)).to.deep.equal(before);
      }
      expect(labelsOf(updated(before, stored(plain), rule))).to.deep.equal({ app: 'web' });
    });

    const changes: [string, (object: Workload) => void][] = [
      ['another image', (object) => (containerOf(object, 'app').image = 'registry.example.com/app:2')],
      ['other args', (object) => (containerOf(object, 'app').args = ['--port=81'])],
      ['a restart', (object) => (templateOf(object).metadata.annotations['kubectl.kubernetes.io/restartedAt'] = 'now')],
    ];
    for (const [what, change] of changes) {
      it(`is added with the next change of the template: ${what}`, () => {
        const object = structuredClone(before);
        change(object);
        expect(labelsOf(updated(before, object, rule))).to.have.property(POLICY_LABEL, 'shop-secrets');
      });
    }

    it('is added when the rule is another one, which makes it outdated anyway', () => {
      const changed = ruleWith({ hash: 'cccccccccccc', vault: { address: 'https://new:8200' } });
      expect(standing(before, changed)).to.equal('Outdated');
      expect(labelsOf(updated(before, structuredClone(before), changed))).to.have.property(POLICY_LABEL);
    });
  });
});
