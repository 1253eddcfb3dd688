import { expect } from 'chai';

import { trimObjects } from '../../../../core/json-trim.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import { standingOf } from '../../../../core/workload/standing.ts';
import { workloadOf } from '../../../../core/workload/workload.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { mutate } from '../../../support/admitted.ts';
import { knownSources, ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

const reference = { name: 'P', value: 'vault:a/b#c' };
const keys = (count: number): Record<string, string> => Object.fromEntries(many(count, (i) => [`K${i}`, '']));
const sources = knownSources({
  'ConfigMap ten': { data: keys(10) },
  'ConfigMap large': { data: keys(20_000) },
  'ConfigMap text': { data: { A: `vault:a#${'b'.repeat(300_000)}` } },
});
const fromMaps = (count: number, name: string): object =>
  deployment({ containers: [container({ envFrom: many(count, () => ({ configMapRef: { name } })) })] });

/** What is allowed, what is too much, and what the message calls it. */
const bounds: readonly [string, () => object, () => object, string][] = [
  [
    'containers',
    () => deployment({ containers: many(250, (i) => container({ name: `c${i}` })) }),
    () => deployment({ containers: many(251, (i) => container({ name: `c${i}` })) }),
    '251 containers are more than the 250 that are reviewed',
  ],
  [
    'containers and init containers',
    () => deployment({ containers: [container()], initContainers: many(249, (i) => ({ name: `i${i}` })) }),
    () => deployment({ containers: [container()], initContainers: many(250, (i) => ({ name: `i${i}` })) }),
    '251 containers are more than the 250 that are reviewed',
  ],
  [
    'elements of any list',
    () => deployment({ containers: [container({ args: many(19_000, () => 'x') })] }),
    () => deployment({ containers: [container({ args: many(20_000, () => 'x') })] }),
    'over 20000 fields and elements of lists are more than are reviewed',
  ],
  [
    'labels and annotations',
    () => deployment({ containers: [container()] }, {}, keys(19_000)),
    () => deployment({ containers: [container()] }, {}, keys(20_000)),
    'over 20000 fields and elements of lists are more than are reviewed',
  ],
  [
    'text that mentions Vault',
    () => deployment({ containers: [container({ env: [reference, { name: 'T', value: 'vault:'.padEnd(262_000) }] })] }),
    () => deployment({ containers: [container({ env: [reference, { name: 'T', value: 'vault:'.padEnd(263_000) }] })] }),
    'characters that mention Vault or $( in variables and commands are more than the 262144 that are reviewed',
  ],
  [
    'references, one to a variable',
    () => deployment({ containers: [container({ env: many(1_000, (i) => ({ ...reference, name: `V${i}` })) })] }),
    () => deployment({ containers: [container({ env: many(1_001, (i) => ({ ...reference, name: `V${i}` })) })] }),
    'over 1000 references are more than the 1000 that are reviewed',
  ],
  [
    'references in one variable',
    () => deployment({ containers: [container({ env: [{ name: 'V', value: '${vault:a#b}'.repeat(1_000) }] })] }),
    () => deployment({ containers: [container({ env: [{ name: 'V', value: '${vault:a#b}'.repeat(1_001) }] })] }),
    'over 1000 references are more than the 1000 that are reviewed',
  ],
  [
    'malformed references of several containers',
    () => deployment({ containers: [container(), ...many(9, (i) => malformed(i, 111))] }),
    () => deployment({ containers: [container(), ...many(9, (i) => malformed(i, 112))] }),
    'over 1000 references are more than the 1000 that are reviewed',
  ],
  [
    'keys of one object, named often',
    () => fromMaps(1_000, 'ten'),
    () => fromMaps(1_001, 'ten'),
    'over 10000 variables from ConfigMaps and Secrets are more than the 10000 that are reviewed',
  ],
  [
    'keys of a large object',
    () => fromMaps(1, 'ten'),
    () => fromMaps(300, 'large'),
    'over 10000 variables from ConfigMaps and Secrets are more than the 10000 that are reviewed',
  ],
  [
    'text of an object',
    () => fromMaps(1, 'ten'),
    () => fromMaps(1, 'text'),
    'over 262144 characters that mention Vault in ConfigMaps and Secrets are more than the 262144 that are reviewed',
  ],
  [
    'objects to read',
    () => deployment({ containers: [container({ envFrom: many(64, (i) => ({ configMapRef: { name: `o${i}` } })) })] }),
    () => deployment({ containers: [container({ envFrom: many(65, (i) => ({ configMapRef: { name: `o${i}` } })) })] }),
    '65 ConfigMaps and Secrets in the environment are more than the 64 that are reviewed',
  ],
  [
    'images to look up',
    () => deployment({ containers: many(64, (i) => container({ name: `c${i}`, image: `i${i}`, command: undefined })) }),
    () => deployment({ containers: many(65, (i) => container({ name: `c${i}`, image: `i${i}`, command: undefined })) }),
    '65 images whose entry point is not known are more than the 64 that are reviewed',
  ],
];

function malformed(index: number, count: number): object {
  return container({ name: `m${index}`, env: many(count, (i) => ({ name: `V${i}`, value: 'vault:a/b' })) });
}

const decide = (object: object, failurePolicy: 'Fail' | 'Ignore', stored?: object): MutationResult =>
  mutateWorkload({
    kind: 'Deployment',
    namespace: 'shop',
    name: 'web',
    object,
    rules: snapshotOf(ruleWith({ failurePolicy, sources: { configMaps: 'Read', secrets: 'Ignore' } })),
    sources,
    ...(stored && { stored }),
  });

describe('a workload with too many', () => {
  for (const [what, allowed, tooMany, message] of bounds) {
    describe(what, () => {
      it('is reviewed as long as it has no more than that', () => {
        const { denial, held } = decide(allowed(), 'Ignore');
        expect([denial?.reason, held?.reason]).to.not.include('WorkloadTooLarge');
      });

      it('is refused under Fail, with what is too much', () => {
        const { denial, patch } = decide(tooMany(), 'Fail');
        expect(denial?.reason).to.equal('WorkloadTooLarge');
        expect(denial?.message).to.contain(`policy shop-secrets does not inject it: `).and.contain(message);
        expect(patch).to.deep.equal([]);
      });

      it('is admitted as it is under Ignore, with a warning, and counts as failed', () => {
        const { denial, patch, held, warnings } = decide(tooMany(), 'Ignore');
        expect({ denial, patch, reason: held?.reason }).to.deep.equal({
          denial: undefined,
          patch: [],
          reason: 'WorkloadTooLarge',
        });
        expect(warnings[0]).to.match(/^policy shop-secrets injects and restores nothing here: /);
      });

      it('stays under Fail as it is stored', () => {
        const { denial, held } = decide(tooMany(), 'Fail', tooMany());
        expect({ denial, reason: held?.reason }).to.deep.equal({ denial: undefined, reason: 'WorkloadTooLarge' });
      });

      it('may have fewer', () => {
        expect(decide(allowed(), 'Fail', tooMany()).denial?.reason).to.not.equal('WorkloadTooLarge');
      });

      it('is no more than that when it is injected', () => {
        const { patch, denial } = decide(allowed(), 'Ignore');
        const injected = applyPatch(allowed(), patch);
        expect(denial?.reason).to.not.equal('WorkloadTooLarge');
        expect(decide(injected as object, 'Fail').denial?.reason).to.not.equal('WorkloadTooLarge');
      });

      it('is set aside by the inventory', () => {
        const object = tooMany() as Workload;
        const rules = snapshotOf(
          ruleWith({ failurePolicy: 'Ignore', sources: { configMaps: 'Read', secrets: 'Ignore' } }),
        );
        const metadata = { ...object.metadata, uid: 'u', resourceVersion: '1' };
        const workload = workloadOf({ ...object, metadata } as never);
        const { state, reason } = standingOf(workload, object, rules, { sources }) ?? {};
        expect({ state, reason }).to.deep.equal({ state: 'Failed', reason: 'WorkloadTooLarge' });
      });
    });
  }

  const large = (annotations: object): Workload =>
    deployment({ containers: many(251, (i) => container({ name: `c${i}` })) }, annotations);

  it('is no matter of policies that do not want it', () => {
    const outcomeOf = (annotations: object, ...rules: readonly ReturnType<typeof ruleWith>[]): string =>
      mutate(large(annotations), ...rules).outcome;
    expect(outcomeOf({})).to.equal('NoPolicy');
    expect(outcomeOf({ 'vaultinjection.dev/inject': 'false' }, ruleWith())).to.equal('Excluded');
    expect(outcomeOf({}, ruleWith({ when: 'Annotation' }))).to.equal('Excluded');
    expect(outcomeOf({ 'vaultinjection.dev/policy': 'another' }, ruleWith())).to.equal('NoPolicy');
    expect(outcomeOf({ 'vaultinjection.dev/inject': 'true' }, ruleWith({ when: 'Annotation' }))).to.equal('Denied');
  });

  it('is counted even if somebody says that it is short', () => {
    const object = large({});
    const rules = snapshotOf(ruleWith());
    const input = { kind: 'Deployment', namespace: 'shop', name: 'web', object, rules, characters: 10 } as const;
    expect(mutateWorkload(input).denial?.reason).to.equal('WorkloadTooLarge');
  });
});

describe('a workload whose references are compared with patterns of many pieces', () => {
  const env = many(1_000, (i) => ({ name: `V${i}`, value: `vault:${'a'.repeat(200)}${i}#b` }));
  const workload = deployment({ containers: [container({ env })] });
  const decideWith = (allowedPaths: readonly string[]): MutationResult =>
    mutate(workload, ruleWith({ environment: { allowedPaths } }));

  it('is reviewed if they are ordinary', () => {
    const { denial } = decideWith([...many(31, (i) => `secret/data/team-${i}/*`), 'a*']);
    expect(denial).to.equal(undefined);
  });

  it('is refused, with what is too much', () => {
    const { denial } = decideWith(many(32, () => `${'*a'.repeat(126)}*b*`));
    expect(denial?.reason).to.equal('WorkloadTooLarge');
    expect(denial?.message).to.match(
      /: \d{7} searches for pieces of the policy's patterns of paths are more than the 500000/,
    );
  });
});

describe('a workload with so much in it that it was not read', () => {
  const empties = (count: number): object[] => many(count, () => ({}));
  const hollow = (count: number, labels: object = { app: 'web' }): object => ({
    ...deployment({ containers: [container()], tolerations: empties(count) }),
    metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', labels },
  });
  const read = (object: object): Workload =>
    JSON.parse(trimObjects(Buffer.from(JSON.stringify(object)), [[]])?.text ?? '') as Workload;
  const large = read(hollow(50_000));
  const TOO_MANY = 'over 20000 fields and elements of lists are more than are reviewed';

  it('is refused under Fail, and told under Ignore', () => {
    expect(decide(large, 'Fail').denial?.message).to.contain(TOO_MANY);
    const { denial, patch, held, warnings } = decide(large, 'Ignore');
    expect([denial, patch, held?.reason]).to.deep.equal([undefined, [], 'WorkloadTooLarge']);
    expect(warnings[0]).to.contain('over 20000 fields and elements');
  });

  it('stays under Fail as it is stored, and may become small, but not another one', () => {
    expect(decide(large, 'Fail', large).denial).to.equal(undefined);
    expect(decide(read(hollow(50_001)), 'Fail', large).denial?.reason).to.equal('WorkloadTooLarge');
    expect(decide(large, 'Fail', hollow(1)).denial?.reason).to.equal('WorkloadTooLarge');
    expect(decide(hollow(1), 'Fail', large).denial).to.equal(undefined);
  });

  it('is of no policy that does not select it, if its labels are known', () => {
    const elsewhere = ruleWith({ selector: { matchLabels: { app: 'other' }, matchExpressions: [] } });
    expect(mutate(large, elsewhere).outcome).to.equal('NoPolicy');
    const unlabelled = read(hollow(50_000, keys(20_000)));
    expect(mutate(unlabelled, elsewhere).outcome).to.equal('Denied');
    expect(mutate(large, ruleWith({ targets: ['StatefulSet'] })).outcome).to.equal('NoPolicy');
  });

  it('is not let through because one of several policies would', () => {
    const lenient = { ...ruleWith({ failurePolicy: 'Ignore' }), priority: 100 };
    expect(mutate(large, lenient, ruleWith()).outcome).to.equal('Denied');
  });

  it('is not let through by annotations that its template may contradict', () => {
    const annotated = { ...large, metadata: { name: 'web', annotations: { 'vaultinjection.dev/inject': 'false' } } };
    expect(mutate(annotated, ruleWith()).outcome).to.equal('Denied');
    expect(mutate(large, ruleWith({ when: 'Annotation' })).outcome).to.equal('Denied');
  });

  it('is set aside by the inventory', () => {
    const workload = workloadOf(large as never);
    const { state, reason } = standingOf(workload, large, snapshotOf(ruleWith({ failurePolicy: 'Ignore' }))) ?? {};
    expect({ state, reason }).to.deep.equal({ state: 'Failed', reason: 'WorkloadTooLarge' });
  });
});
