import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import type { CompiledPolicy } from '../../../../core/policy/compile.ts';
import type { PolicyStatus, Statement } from '../../../../operator/policies/conditions.ts';
import type { VaultInjectionPolicy } from '../../../../core/policy/policy.generated.ts';
import { Reconciler } from '../../../../operator/policies/reconciler.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import type { Rule, RuleVault } from '../../../../core/policy/rule.ts';
import type { VaultHealth } from '../../../../operator/vault/vault-port.ts';
import type { WorkloadSummary } from '../../../../core/workload/summary.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';

const KEY = 'shop/web';
const REACHABLE: VaultHealth = { status: 'True', reason: 'VaultReachable', message: 'answers' };

interface Applied {
  readonly resource: unknown;
  readonly object: KubernetesObject;
  readonly options: unknown;
}

/** A summary of so many workloads, by default all injected. */
function summaryWith(matched: number, fields: Partial<WorkloadSummary> = {}): WorkloadSummary {
  const counts = { matched, injected: matched, outdated: 0, missed: 0, denied: 0, failed: 0, excluded: 0 };
  return { counts, attention: [], attentionOmitted: 0, conflicts: [], ...fields };
}

/** A policy whose spec says how validation and compilation are to go. */
function policy(
  fields: { name?: string; uid?: string; generation?: number; version?: number; spec?: unknown } = {},
): KubernetesObject {
  const { name = 'web', uid = 'uid-1', generation = 1, version = generation, spec = { good: true } } = fields;
  return {
    apiVersion: 'vaultinjection.dev/v1alpha1',
    kind: 'VaultInjectionPolicy',
    metadata: { name, namespace: 'shop', uid, generation, resourceVersion: String(version) },
    spec,
  };
}

// Of a rule only what the reconciler looks at; the rest is the compiler's own business.
function compile({ metadata, spec }: VaultInjectionPolicy): CompiledPolicy {
  const {
    suspend,
    fault,
    failurePolicy = 'Ignore',
    rotation = { strategy: 'None' },
  } = spec as { suspend?: boolean; fault?: boolean; failurePolicy?: Rule['failurePolicy']; rotation?: object };
  if (suspend) return { ok: true, suspended: true };
  if (fault) return { ok: false, reason: 'DurationInvalid', message: 'spec.process.delay: write a duration' };
  const { namespace, name, uid = '', generation = 0 } = metadata;
  const rule = {
    policy: { namespace, name, uid, generation, createdAt: 0 },
    priority: 0,
    failurePolicy,
    vault: { address: `https://vault.${name}:8200` },
    rotation,
  };
  return { ok: true, suspended: false, rule: rule as unknown as Rule };
}

describe('reconciling a policy', () => {
  let objects: Map<string, KubernetesObject>;
  let rules: RuleCache;
  let programmed: Set<string>;
  let excluded: Set<string>;
  let told: ReadonlyMap<string, string>[];
  let watched: Map<string, string | undefined>;
  let health: VaultHealth;
  let certificateReady: boolean;
  let applied: Applied[];
  let refusal: ApiError | undefined;
  let summary: WorkloadSummary | undefined;
  let rotating: Statement | undefined;
  let leading: boolean;
  let later: [key: string, ms: number][];
  let clock: ManualClock;
  let reconciler: Reconciler;

  beforeEach(() => {
    objects = new Map();
    rules = new RuleCache();
    programmed = new Set(['shop']);
    excluded = new Set();
    told = [];
    watched = new Map();
    health = REACHABLE;
    certificateReady = true;
    applied = [];
    refusal = undefined;
    summary = undefined;
    rotating = undefined;
    leading = true;
    later = [];
    clock = new ManualClock(Date.UTC(2026, 0, 2, 12));
    reconciler = new Reconciler({
      policies: { get: (key) => objects.get(key), list: () => [...objects.values()] },
      validate: (object) => {
        const { spec } = object as VaultInjectionPolicy & { spec: { problems?: string[] } };
        if (spec.problems !== undefined) return { ok: false, problems: spec.problems };
        return { ok: true, policy: object as VaultInjectionPolicy };
      },
      compile,
      rules,
      webhook: {
        setPolicies: (policies) => void told.push(policies),
        programmed: (namespace) => programmed.has(namespace),
        excludes: (namespace) => excluded.has(namespace),
      },
      certificateReady: () => certificateReady,
      summaryOf: () => summary,
      rotationOf: () => rotating,
      isLeader: () => leading,
      again: (key, ms) => void later.push([key, ms]),
      vault: {
        watch: (key: string, vault: RuleVault | undefined) => void watched.set(key, vault?.address),
        unwatch: (key) => void watched.delete(key),
        health: () => health,
      },
      client: {
        apply: <T extends KubernetesObject>(resource: unknown, object: KubernetesObject, options: unknown) => {
          if (refusal !== undefined) return Promise.reject(refusal);
          applied.push({ resource, object, options });
          return Promise.resolve(object as T);
        },
      },
      clock,
      logger: testLog().logger,
    });
  });

  const put = (object: KubernetesObject): void => void objects.set(`shop/${object.metadata.name}`, object);
  const generationInForce = (): number | undefined => rules.snapshot().rulesFor('shop')[0]?.policy.generation;
  const writtenStatus = (): PolicyStatus => applied.at(-1)?.object.status as PolicyStatus;
  const condition = (type: string): string => {
    const found = writtenStatus().conditions?.find((each) => each.type === type);
    return found === undefined ? 'absent' : `${found.status}/${found.reason}`;
  };

  /** What the informer shows after a write: a newer version with that status. */
  function showWritten(version: number): void {
    const object = objects.get(KEY);
    if (object === undefined) throw new Error('no object');
    put({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) }, status: writtenStatus() });
  }

  it('puts its rule in force, has the namespace programmed, watches its Vault, and says so', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    expect(generationInForce()).to.equal(1);
    expect(told.map((policies) => [...policies])).to.deep.equal([[['shop', 'Ignore']]]);
    expect([...watched]).to.deep.equal([[KEY, 'https://vault.web:8200']]);
    expect(condition('Ready')).to.equal('True/Active');
  });

  it('writes the status by server-side apply, and nothing else', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    const { resource, object, options } = applied[0] ?? {};
    expect(resource).to.deep.equal({
      group: 'vaultinjection.dev',
      version: 'v1alpha1',
      plural: 'vaultinjectionpolicies',
      namespace: 'shop',
    });
    expect(object?.metadata).to.deep.equal({ name: 'web', namespace: 'shop' });
    expect(Object.keys(object ?? {})).to.deep.equal(['apiVersion', 'kind', 'metadata', 'status']);
    expect(options).to.deep.equal({ fieldManager: 'vault-injection-operator-status', subresource: 'status' });
  });

  it('writes nothing when nothing has changed, before or after the informer shows the write', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    await clock.advance(60_000);
    await reconciler.reconcile(KEY);
    showWritten(2);
    await reconciler.reconcile(KEY);
    expect(applied).to.have.length(1);
    expect(told).to.have.length(1);
  });

  it('corrects a status that somebody else has changed', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    put({ ...policy({ version: 9 }), status: {} });
    await reconciler.reconcile(KEY);
    expect(applied).to.have.length(2);
  });

  it('keeps the last good rule in force when a newer generation is rejected', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    put(policy({ generation: 2, spec: { fault: true } }));
    await reconciler.reconcile(KEY);
    expect(generationInForce()).to.equal(1);
    expect(condition('Accepted')).to.equal('False/DurationInvalid');
    expect(condition('Stalled')).to.equal('True/DurationInvalid');
    expect(condition('Programmed')).to.equal('True/Programmed');
    expect(writtenStatus().observedGeneration).to.equal(2);
    expect(writtenStatus().conditions?.[0]?.message).to.match(/generation 1 stays in force/);
    expect(watched.get(KEY)).to.equal('https://vault.web:8200');
  });

  it('puts the fixed generation in force', async () => {
    for (const [generation, spec] of [
      [1, { good: true }],
      [2, { fault: true }],
      [3, { good: true }],
    ] as const) {
      put(policy({ generation, spec }));
      await reconciler.reconcile(KEY);
    }
    expect(generationInForce()).to.equal(3);
    expect(condition('Stalled')).to.equal('absent');
    expect(condition('Ready')).to.equal('True/Active');
  });

  it('rejects what the schema does not allow, naming each problem', async () => {
    put(policy({ spec: { problems: ['spec.a: is missing', 'spec.b: write a text'] } }));
    await reconciler.reconcile(KEY);
    expect(generationInForce()).to.equal(undefined);
    expect(condition('Accepted')).to.equal('False/SchemaInvalid');
    expect(writtenStatus().conditions?.[0]?.message).to.match(/^spec.a: is missing; spec.b: write a text; no rule/);
  });

  it('withdraws the rule of a suspended policy, and tells the webhook that the namespace has none', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    put(policy({ generation: 2, spec: { suspend: true } }));
    await reconciler.reconcile(KEY);
    expect(generationInForce()).to.equal(undefined);
    expect(told.at(-1)?.size).to.equal(0);
    expect(condition('Ready')).to.equal('False/Suspended');
    expect(watched.get(KEY)).to.equal(undefined);
  });

  it('withdraws the rule of a deleted policy, and writes nothing', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    objects.clear();
    await reconciler.reconcile(KEY);
    expect(generationInForce()).to.equal(undefined);
    expect(told.at(-1)?.size).to.equal(0);
    expect(watched.has(KEY)).to.equal(false);
    expect(applied).to.have.length(1);
  });

  it('does not keep the rule of a policy that had the same name before', async () => {
    put(policy());
    await reconciler.reconcile(KEY);
    put(policy({ uid: 'uid-2', version: 7, spec: { fault: true } }));
    await reconciler.reconcile(KEY);
    expect(generationInForce()).to.equal(undefined);
    expect(condition('Programmed')).to.equal('False/NotAccepted');
  });

  it('asks for Fail if any policy of the namespace does', async () => {
    put(policy());
    put(policy({ name: 'strict', uid: 'uid-2', spec: { failurePolicy: 'Fail' } }));
    await reconciler.reconcile(KEY);
    await reconciler.reconcile('shop/strict');
    expect([...(told.at(-1) ?? [])]).to.deep.equal([['shop', 'Fail']]);
  });

  it('is not Ready before API servers call the webhook', async () => {
    programmed.clear();
    put(policy());
    await reconciler.reconcile(KEY);
    expect(condition('Ready')).to.equal('False/NotProgrammed');
    expect(condition('Reconciling')).to.equal('True/NotProgrammed');
    programmed.add('shop');
    await reconciler.reconcile(KEY);
    expect(condition('Ready')).to.equal('True/Active');
    expect(condition('Reconciling')).to.equal('absent');
  });

  it('says that a namespace is never injected', async () => {
    excluded.add('shop');
    programmed.clear();
    put(policy());
    await reconciler.reconcile(KEY);
    expect(condition('Ready')).to.equal('False/NamespaceExcluded');
  });

  it('follows the certificate and the health of Vault', async () => {
    certificateReady = false;
    health = { status: 'False', reason: 'VaultSealed', message: 'sealed' };
    put(policy());
    await reconciler.reconcile(KEY);
    expect(condition('CertificateReady')).to.equal('False/CertificateNotReady');
    expect(condition('VaultReachable')).to.equal('False/VaultSealed');
    expect(generationInForce()).to.equal(1);
  });

  it('tolerates that the policy is gone by the time its status is written', async () => {
    refusal = new ApiError(404, 'NotFound', 'gone');
    put(policy());
    await reconciler.reconcile(KEY);
    expect(generationInForce()).to.equal(1);
  });

  for (const [code, reason] of [
    [409, 'Conflict'],
    [500, 'InternalError'],
    [0, 'Unreachable'],
  ] as const) {
    it(`has its rule in force although the status could not be written (${reason}), and writes it later`, async () => {
      refusal = new ApiError(code, reason, reason);
      put(policy());
      const error: unknown = await reconciler.reconcile(KEY).catch((thrown: unknown) => thrown);
      expect(error).to.equal(refusal);
      expect(generationInForce()).to.equal(1);
      refusal = undefined;
      await reconciler.reconcile(KEY);
      expect(condition('Ready')).to.equal('True/Active');
    });
  }

  describe('what became of the workloads', () => {
    beforeEach(async () => {
      put(policy());
      await reconciler.reconcile(KEY);
      await clock.advance(60_000);
    });

    it('is written at most once in ten seconds, and the last state for certain', async () => {
      summary = summaryWith(1);
      await reconciler.reconcile(KEY);
      await clock.advance(4_000);
      summary = summaryWith(2);
      await reconciler.reconcile(KEY);
      expect(writtenStatus().workloads?.matched).to.equal(1);
      expect(later).to.deep.equal([[KEY, 6_000]]);
      await clock.advance(6_000);
      await reconciler.reconcile(KEY);
      expect(writtenStatus().workloads?.matched).to.equal(2);
      expect(applied).to.have.length(3);
    });

    it('is not written again while it is the same', async () => {
      summary = summaryWith(1, {
        attention: [{ kind: 'Deployment', name: 'a', state: 'Denied', reason: 'PathNotAllowed', message: 'x' }],
        lastAppliedTime: clock.now(),
      });
      await reconciler.reconcile(KEY);
      showWritten(5);
      await clock.advance(60_000);
      await reconciler.reconcile(KEY);
      expect([applied.length, later]).to.deep.equal([2, []]);
    });

    it('is written at once if a condition has another reason', async () => {
      summary = summaryWith(1);
      await reconciler.reconcile(KEY);
      summary = summaryWith(1, { stalled: { reason: 'RepairUndone', message: 'Deployment/a: undone' } });
      await reconciler.reconcile(KEY);
      expect([condition('Stalled'), condition('Ready')]).to.deep.equal(['True/RepairUndone', 'True/Active']);
      summary = summaryWith(1);
      await reconciler.reconcile(KEY);
      expect([condition('Stalled'), later]).to.deep.equal(['absent', []]);
    });

    it('leaves lastDenial to the replica that denied', async () => {
      const lastDenial = { time: '2026-01-02T11:00:00Z', kind: 'Deployment', name: 'a', reason: 'Denied', message: '' };
      const status = writtenStatus();
      put({ ...policy({ version: 6 }), status: { ...status, lastDenial } });
      await reconciler.reconcile(KEY);
      expect(applied).to.have.length(1);
      summary = summaryWith(1);
      await reconciler.reconcile(KEY);
      expect(writtenStatus()).to.have.property('workloads').and.to.be.an('object');
      expect(writtenStatus()).not.to.have.property('lastDenial');
    });

    it('stays until it is known again, after a restart', async () => {
      summary = summaryWith(3, { lastAppliedTime: clock.now() });
      await reconciler.reconcile(KEY);
      showWritten(5);
      summary = undefined;
      certificateReady = false;
      await reconciler.reconcile(KEY);
      expect(writtenStatus().workloads?.matched).to.equal(3);
      expect(writtenStatus().lastAppliedTime).to.equal('2026-01-02T12:01:00Z');
    });

    it('is removed with the rule', async () => {
      summary = summaryWith(3);
      await reconciler.reconcile(KEY);
      put(policy({ generation: 2, spec: { suspend: true } }));
      await reconciler.reconcile(KEY);
      expect(writtenStatus()).not.to.have.property('workloads');
    });
  });

  it('says whether secrets are watched only if the policy asks for it', async () => {
    const told = async (generation: number, spec: object): Promise<string> => {
      put(policy({ generation, spec }));
      await reconciler.reconcile(KEY);
      return condition('Rotating');
    };
    const rotates = { rotation: { strategy: 'Restart' } };
    expect(await told(1, {})).to.equal('absent');
    expect(await told(2, rotates)).to.equal('Unknown/RotationPending');
    rotating = { status: 'False', reason: 'RotationLoginRefused', message: 'no' };
    expect([await told(3, rotates), condition('Ready')]).to.deep.equal(['False/RotationLoginRefused', 'True/Active']);
    expect(await told(4, {})).to.equal('absent');
  });

  it('leaves the status to the leader, and keeps rules, programming and checks of Vault all the same', async () => {
    leading = false;
    put(policy());
    await reconciler.reconcile(KEY);
    expect([generationInForce(), told.length, watched.size, applied.length]).to.deep.equal([1, 1, 1, 0]);
  });

  describe('load', () => {
    it('puts all valid rules in force at once and passes all namespaces at once, without writing anything', () => {
      put(policy());
      put(policy({ name: 'bad', uid: 'uid-2', spec: { fault: true } }));
      put(policy({ name: 'off', uid: 'uid-3', spec: { suspend: true } }));
      reconciler.load();
      expect(
        rules
          .snapshot()
          .rulesFor('shop')
          .map(({ policy: { name } }) => name),
      ).to.deep.equal(['web']);
      expect(rules.snapshot().version).to.equal(1);
      expect(told.map((policies) => [...policies])).to.deep.equal([[['shop', 'Ignore']]]);
      expect(applied).to.deep.equal([]);
    });

    it('tells the webhook even if there is no policy at all', () => {
      reconciler.load();
      expect(told.map(({ size }) => size)).to.deep.equal([0]);
    });
  });
});
