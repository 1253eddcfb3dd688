import { expect } from 'chai';

import { standingOf } from '../../../../core/workload/standing.ts';
import type { Standing } from '../../../../core/workload/standing.ts';
import { workloadOf } from '../../../../core/workload/workload.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import type { Governor, Rule } from '../../../../core/policy/rule.ts';
import type { KnownImages } from '../../../../core/injection/images.ts';
import type { KnownSources } from '../../../../core/injection/sources.ts';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import { admitted } from '../../../support/admitted.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { knownSources, ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';

/** As a list of the API server brings it. */
function stored(object: unknown, annotations: Readonly<Record<string, string>> = {}): KubernetesObject {
  const { metadata, ...rest } = object as { metadata: Record<string, unknown> };
  const known = (metadata.annotations ?? {}) as Record<string, string>;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    ...rest,
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u-1',
      resourceVersion: '7',
      ...metadata,
      annotations: { ...known, ...annotations },
    },
  };
}

function standingOfStored(
  object: KubernetesObject,
  rules: readonly Governor[],
  known: Parameters<typeof standingOf>[3] = {},
): Standing | undefined {
  return standingOf(workloadOf(object), object, snapshotOf(...rules), known);
}

function standing(object: unknown, rules: readonly Governor[], images?: KnownImages): Standing | undefined {
  return standingOfStored(stored(object), rules, images && { images });
}

/** As admission stores it when it has read these objects. */
function admittedKnowing(object: unknown, rule: Rule, sources: KnownSources): unknown {
  const about = { kind: 'Deployment', namespace: 'shop', name: 'web' } as const;
  return applyPatch(object, mutateWorkload({ ...about, object, rules: snapshotOf(rule), sources }).patch);
}

const REFERRING = { env: [{ name: 'PASSWORD', value: 'vault:secret/data/shop/db#password' }] };
const plain = deployment({ containers: [container({ ...REFERRING })] });
const rule = ruleWith({ failurePolicy: 'Ignore' });
const injected = admitted(plain, rule);

const refused = (message: string): object => ({
  ...(injected as object),
  status: { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }] },
});

describe('how a workload stands to its policy', () => {
  it('is nothing without a policy', () => {
    expect(standing(plain, [])).to.equal(undefined);
    expect(standing(injected, [])).to.equal(undefined);
  });

  it('is Injected and to be told if its pods are refused because of what was added, in the words of the API server', () => {
    const message = 'pods "web-1" is forbidden: failed quota: team: must specify limits.cpu for: vault-env';
    expect(standing(refused(message), [rule])).to.deep.include({
      state: 'Injected',
      reason: 'PodsRefused',
      message: `its pods cannot be created: ${message}`,
    });
    const other = 'pods "web-1" is forbidden: failed quota: team: must specify limits.cpu for: app';
    expect(standing(refused(other), [rule]))
      .to.deep.include({ state: 'Injected' })
      .and.not.to.have.property('reason');
    expect(
      standing(
        {
          ...(injected as object),
          status: { conditions: [7, { type: 'ReplicaFailure', status: 'True', message: 7 }] },
        },
        [rule],
      ),
    ).to.deep.include({ state: 'Injected' });
  });

  it('is Injected as admission left it', () => {
    expect(standing(injected, [rule])).to.deep.equal({
      state: 'Injected',
      policy: { name: rule.policy.name, uid: rule.policy.uid, hash: rule.hash },
      yielding: [],
      reads: ['secret/data/shop/db'],
      restartPending: false,
    });
  });

  it('is Denied or Failed under a policy that cannot be used, and says why', () => {
    const { policy, priority, targets, selector } = rule;
    const stands = (failurePolicy: 'Fail' | 'Ignore') =>
      standing(injected, [{ policy, priority, targets, selector, failurePolicy, fault: 'spec.x: write y' }]);
    expect(stands('Fail')).to.deep.include({ state: 'Denied', reason: 'PolicyUnusable' });
    expect(stands('Ignore')).to.deep.include({ state: 'Failed', reason: 'PolicyUnusable' });
    expect(stands('Ignore')?.policy).to.deep.equal({ name: policy.name, uid: policy.uid, hash: '' });
  });

  it('is Missed if a container that should be wrapped is not', () => {
    expect(standing(plain, [rule])).to.deep.include({ state: 'Missed', reason: 'NotInjected' });
  });

  it('is Missed if one of two containers is not, whatever the other one is', () => {
    const two = deployment({ containers: [container({ ...REFERRING }), container({ ...REFERRING, name: 'other' })] });
    const one = ruleWith({ failurePolicy: 'Ignore', containers: { include: ['other'] } });
    expect(standing(admitted(two, one), [rule])?.state).to.equal('Missed');
  });

  it('is Outdated if the rule has changed since', () => {
    const changed = ruleWith({ failurePolicy: 'Ignore', hash: 'bbbbbbbbbbbb', vault: { auth: { role: 'other' } } });
    expect(standing(injected, [changed])).to.deep.include({ state: 'Outdated', reason: 'InjectionChanged' });
  });

  it('is Outdated if nothing asks for the injection any more', () => {
    const excluded = {
      ...injected,
      metadata: { ...injected.metadata, annotations: { 'vaultinjection.dev/inject': 'false' } },
    };
    expect(standing(excluded, [rule])).to.deep.include({ state: 'Outdated', reason: 'ToBeRestored' });
  });

  it('is Excluded, and why', () => {
    const annotated = (value: string): unknown => ({
      ...plain,
      metadata: { ...plain.metadata, annotations: { 'vaultinjection.dev/inject': value } },
    });
    expect(standing(annotated('false'), [rule])).to.deep.include({ state: 'Excluded', reason: 'AnnotatedFalse' });
    const onDemand = ruleWith({ failurePolicy: 'Ignore', when: 'Annotation' });
    expect(standing(plain, [onDemand])).to.deep.include({ state: 'Excluded', reason: 'AnnotationMissing' });
    expect(standing(annotated('true'), [onDemand])?.state).to.equal('Missed');
    const quiet = deployment({ containers: [container({ env: [] })] });
    expect(standing(quiet, [rule])).to.deep.include({ state: 'Excluded', reason: 'NothingToInject' });
    const named = { ...plain, metadata: { ...plain.metadata, annotations: { 'vaultinjection.dev/policy': 'other' } } };
    expect(standing(named, [rule])).to.deep.include({ state: 'Excluded', reason: 'OtherPolicyNamed' });
  });

  it('is Denied if admission would deny what is stored', () => {
    const narrow = ruleWith({ environment: { allowedPaths: ['secret/data/other/*'] } });
    expect(standing(plain, [narrow])).to.deep.include({ state: 'Denied', reason: 'PathNotAllowed' });
  });

  it('is Failed while nobody knows what the image starts, and Missed as soon as somebody does', () => {
    const { name, image, env } = container({ ...REFERRING, name: 'image-only' });
    const imageOnly = { name, image, env };
    const both = deployment({ containers: [container({ ...REFERRING }), imageOnly] });
    const half = admitted(both, rule);
    const failed = standing(half, [rule]);
    expect(failed).to.deep.include({ state: 'Failed', reason: 'EntrypointUnknown' });
    expect(failed?.needs?.images).to.deep.equal([imageOnly.image]);
    const known: KnownImages = () => ({ entrypoint: ['/run'], cmd: [] });
    expect(standing(half, [rule], known)?.state).to.equal('Missed');
  });

  it('names the policies that also match, but lose', () => {
    const loser = ruleWith({ policy: { name: 'loser', uid: 'uid-2' } });
    expect(standing(injected, [rule, loser])).to.deep.include({ yielding: ['loser'] });
  });

  it('waits for a restart that the template does not have yet', () => {
    const object = stored(injected, { 'vaultinjection.dev/restart': 'cccccccccccc' });
    const before = standingOfStored(object, [rule]);
    expect(before).to.deep.include({ state: 'Outdated', restartPending: true });
    const after = standingOfStored(stored(admitted(object as never, rule)), [rule]);
    expect(after).to.deep.include({ state: 'Injected', restartPending: false });
  });

  it('reads each path once, including those of the policy, and no pinned version', () => {
    const env = ['vault:a/data/b#c', 'vault:a/data/b#d', 'vault:pin/data/x#y#3', '${vault:e/data/f#g} and more'];
    const workload = deployment({
      containers: [container({ env: env.map((value, at) => ({ name: `V${at}`, value })) })],
    });
    const fromPaths = [
      { path: 'z/data/all', prefix: '', overwrite: false },
      { path: 'z/data/pinned', version: 2, prefix: '', overwrite: false },
    ];
    const rule = ruleWith({ environment: { fromPaths } });
    expect(standing(admitted(workload, rule), [rule])?.reads).to.deep.equal(['a/data/b', 'e/data/f', 'z/data/all']);
  });

  describe('reads nothing that the pods of the stored template do not', () => {
    const reading = container({ env: [{ name: 'A', value: 'vault:a/data/b#c' }] });
    const workload = deployment({ containers: [reading] });
    const reads = (object: unknown, ...more: Parameters<typeof ruleWith>): readonly string[] | undefined =>
      standing(object, [ruleWith(...more)])?.reads;

    it('such as what only a policy names that was changed since', () => {
      const fromPaths = [{ path: 'z/data/all', prefix: '', overwrite: false }];
      const found = standing(admitted(workload, ruleWith()), [ruleWith({ environment: { fromPaths } })]);
      expect(found).to.deep.include({ state: 'Outdated', reads: ['a/data/b'] });
    });

    it('or all of it, while they still ask another Vault', () => {
      const elsewhere = ruleWith({ vault: { address: 'https://elsewhere.example' } });
      expect(reads(admitted(workload, elsewhere))).to.deep.equal([]);
      const team = ruleWith({ vault: { namespace: 'team' } });
      expect(reads(admitted(workload, team))).to.deep.equal([]);
      expect(reads(admitted(workload, ruleWith()))).to.deep.equal(['a/data/b']);
    });

    it('or what is in a container that is not wrapped, or in one that the policy leaves out', () => {
      expect(reads(workload)).to.deep.equal([]);
      const other = container({ name: 'other', env: [{ name: 'B', value: 'vault:other/data/b#c' }] });
      const two = deployment({ containers: [reading, other] });
      expect(reads(admitted(two, ruleWith()))).to.deep.equal(['a/data/b', 'other/data/b']);
      const without = ruleWith({ containers: { exclude: ['other'] } });
      expect(standing(admitted(two, without), [without])?.reads).to.deep.equal(['a/data/b']);
    });

    it('or what a ConfigMap got after the review', () => {
      const from = deployment({
        containers: [container({ envFrom: [{ configMapRef: { name: 'settings' } }], env: [] })],
      });
      const saying = (value: string) => ({ sources: knownSources({ 'ConfigMap settings': { data: { A: value } } }) });
      const rule = ruleWith({ failurePolicy: 'Ignore' });
      const { sources } = saying('vault:a/data/b#c');
      const object = stored(admittedKnowing(from, rule, sources));
      expect(standingOfStored(object, [rule], { sources })?.reads).to.deep.equal(['a/data/b']);
      expect(standingOfStored(object, [rule], saying('vault:a/data/b#another'))?.reads).to.deep.equal(['a/data/b']);
      expect(standingOfStored(object, [rule], saying('vault:bank/data/b#c'))?.reads).to.deep.equal([]);
    });
  });

  it('reads what a ConfigMap refers to, and reveals nothing of what a Secret does', () => {
    const workload = deployment({
      containers: [
        container({ envFrom: [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'private' } }], env: [] }),
      ],
    });
    const sources = knownSources({
      'ConfigMap settings': { data: { A: 'vault:a/data/b#c' } },
      'Secret private': { data: { B: 'vault:hidden/data/b#c' } },
    });
    const open = ruleWith({ failurePolicy: 'Ignore', sources: { secrets: 'Read' } });
    const found = standingOfStored(stored(admittedKnowing(workload, open, sources)), [open], { sources });
    expect(found).to.deep.include({ state: 'Injected', reads: ['a/data/b'] });
  });
});

describe('a workload that is not injected', () => {
  const SINCE = Date.parse('2026-01-02T00:00:00Z');
  const later = ruleWith({ failurePolicy: 'Ignore', since: SINCE });
  const entry = (manager: string, time: string, fields: object = { 'f:spec': { 'f:template': {} } }): object => ({
    manager,
    operation: 'Update',
    time,
    fieldsV1: fields,
  });
  const LABELS = { 'f:metadata': { 'f:labels': {} } };

  function reasonOf(managedFields: readonly object[], object: unknown = plain, annotations = {}): string | undefined {
    const { metadata, ...rest } = stored(object, annotations);
    const known = { ...metadata, creationTimestamp: '2026-01-01T00:00:00Z', managedFields };
    return standingOfStored({ ...rest, metadata: known }, [later])?.reason;
  }

  it('ran before the policy if its template is older than the spec of the policy', () => {
    expect(reasonOf([])).to.equal('NotAdopted');
    expect(reasonOf([entry('ci', '2026-01-01T12:00:00Z')])).to.equal('NotAdopted');
  });

  it('was missed if somebody has written the template since, in the same second at the earliest', () => {
    expect(reasonOf([entry('ci', '2026-01-02T00:00:00Z')])).to.equal('NotInjected');
    expect(reasonOf([entry('ci', '2026-01-01T23:59:59Z')])).to.equal('NotAdopted');
  });

  it('is none the newer for labels, annotations, a scale, its status, and requests of the operator', () => {
    const others = [
      entry('kubectl-label', '2026-01-03T00:00:00Z', LABELS),
      { ...entry('kubectl', '2026-01-03T00:00:00Z', { 'f:spec': { 'f:replicas': {} } }), subresource: 'scale' },
      { ...entry('kube-controller-manager', '2026-01-03T00:00:00Z', { 'f:status': {} }), subresource: 'status' },
      entry('vault-injection-operator-requests', '2026-01-03T00:00:00Z'),
    ];
    expect(reasonOf(others)).to.equal('NotAdopted');
  });

  it('was missed if it was injected before, as far as the object tells', () => {
    const requested = (kind: string): object => ({
      'vaultinjection.dev/requested': `${kind}/aaaaaaaaaaaa/1/2026-01-01T00:00:00Z`,
    });
    for (const kind of ['Repair', 'Rollout', 'Restart'])
      expect(reasonOf([], plain, requested(kind)), kind).to.equal('NotInjected');
    expect(reasonOf([], plain, requested('Adoption'))).to.equal('NotAdopted');
    expect(reasonOf([], plain, { 'vaultinjection.dev/versions': '{}' })).to.equal('NotInjected');
    const stripped = structuredClone(injected);
    for (const one of stripped.spec.template.spec.containers) Object.assign(one, { command: ['/other'], args: [] });
    expect(reasonOf([], stripped)).to.equal('NotInjected');
  });

  it('says how to end it', () => {
    const automatic = ruleWith({ since: SINCE, rollout: { strategy: 'Automatic' } });
    const messageOf = (by: ReturnType<typeof ruleWith>): string | undefined =>
      standing(plain, [{ ...by, failurePolicy: 'Ignore' }])?.message;
    expect(messageOf(later)).to.include('kubectl annotate deployment web -n shop vaultinjection.dev/apply=now');
    expect(messageOf(automatic)).to.include('in its turn').and.not.to.include('kubectl');
  });
});

describe('a workload whose programs would not start', () => {
  const SECRET = 'vault:secret/data/very-secret';
  const broken = deployment({ containers: [container({ env: [{ name: 'PASSWORD', value: SECRET }] })] });

  it('says which variable to correct, whatever its state, and no value', () => {
    const changed = ruleWith({ failurePolicy: 'Ignore', hash: 'bbbbbbbbbbbb' });
    const found = [
      standing(broken, [rule]),
      standing(admitted(broken, rule), [rule]),
      standing(admitted(broken, rule), [changed]),
    ];
    expect(found.map((one) => [one?.state, one?.reason])).to.deep.equal([
      ['Missed', 'ReferenceMalformed'],
      ['Injected', 'ReferenceMalformed'],
      ['Outdated', 'ReferenceMalformed'],
    ]);
    for (const one of found) {
      expect(one?.message).to.include('container app, PASSWORD, column').and.to.include('write');
      expect(one?.message).not.to.include('very-secret');
    }
  });

  it('says it of a ciphertext without a key to decrypt it', () => {
    const env = [{ name: 'CARD', value: 'vault:v1:c2VjcmV0' }];
    const one = standing(deployment({ containers: [container({ env })] }), [rule]);
    expect([one?.state, one?.reason]).to.deep.equal(['Missed', 'TransitKeyMissing']);
    expect(one?.message).to.include('environment.transit.keyID').and.not.to.include('c2VjcmV0');
  });
});

describe('how a Job stands to its policy', () => {
  const forJobs = ruleWith({ failurePolicy: 'Ignore', targets: ['Job'] });
  const jobOf = (object: unknown, status: object = {}): KubernetesObject => {
    const { spec, metadata } = object as { spec: object; metadata: object };
    return { ...stored({ metadata, spec }), apiVersion: 'batch/v1', kind: 'Job', status };
  };
  const standingOfJob = (object: unknown, rules: readonly Rule[], status: object = {}): Standing | undefined =>
    standingOfStored(jobOf(object, status), rules);
  const ended = { conditions: [{ type: 'Complete', status: 'True' }] };
  const changedRule = ruleWith({ ...forJobs, hash: 'ffffffffffff', vault: { ...forJobs.vault, namespace: 'other' } });

  it('is Injected as long as nothing would be different', () => {
    expect(standingOfJob(injected, [forJobs])).to.include({ state: 'Injected' });
  });

  it('is Outdated while it runs with what a policy said before, and says that only a new one changes that', () => {
    const one = standingOfJob(injected, [changedRule]);
    expect(one).to.include({ state: 'Outdated', reason: 'InjectionChanged' });
    expect(one?.message).to.contain('its template cannot change: delete it, and create it again');
  });

  it('is Missed while it runs without, and says the same', () => {
    const one = standingOfJob(plain, [forJobs]);
    expect(one?.state).to.equal('Missed');
    expect(one?.message).to.contain('delete it, and create it again');
  });

  it('has ended: it counts as it was, and nothing is to be done', () => {
    expect(standingOfJob(injected, [changedRule], ended)).to.include({ state: 'Injected' });
    expect(standingOfJob(plain, [forJobs], ended)).to.include({ state: 'Excluded', reason: 'Finished' });
    expect(
      standingOfJob(
        plain,
        [ruleWith({ ...forJobs, environment: { ...forJobs.environment, allowedPaths: ['x/*'] } })],
        ended,
      ),
    ).to.include({
      state: 'Excluded',
    });
  });
});

it('a ReplicaSet is not said to have another run: people ask for its template, and delete its pods', () => {
  const rule = ruleWith({ failurePolicy: 'Ignore', targets: ['ReplicaSet'] });
  const changedRule = ruleWith({ ...rule, hash: 'ffffffffffff', vault: { ...rule.vault, namespace: 'other' } });
  const object = { ...stored(injected), kind: 'ReplicaSet' };
  const message = standingOfStored(object, [changedRule])?.message ?? '';
  expect(message).to.contain(
    'kubectl annotate replicaset web -n shop vaultinjection.dev/apply=now changes its template',
  );
  expect(message).to.contain('pods that are created after that have it');
});
