/**
 * Two operators in one cluster, and platforms that edit the webhook configuration, on the real API server. The stand-ins
 * do what the admissions enforcer of AKS and GKE Autopilot do: one edits after each write, one at admission.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { needs } from '../support/kubernetes-versions.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const CONFIGURATION = ['mutatingwebhookconfiguration', 'vault-injection-operator'];
const SYSTEM = 'vault-injection-system';
/** How long nothing may be written after it has settled, in milliseconds. */
const SETTLED_MS = Number(process.env.SETTLED_MS ?? 5_000);

interface Term {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

interface Configuration {
  readonly metadata: { generation: number; labels?: object; annotations?: Record<string, string> };
  readonly webhooks?: { name: string; namespaceSelector: { matchExpressions: Term[] } }[];
}

const ADDED: readonly Term[] = [
  { key: 'control-plane', operator: 'NotIn', values: ['true'] },
  { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['zoo', 'gke-gmp-system'] },
];

describe('the webhook configuration, which others see as well', function () {
  this.timeout(180_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  const others: (() => Promise<void>)[] = [];

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane });
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop'));
  });
  afterEach(async () => {
    for (const stop of others.splice(0)) await stop();
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  const configuration = async (): Promise<Configuration> =>
    JSON.parse(await cluster.kubectl('get', ...CONFIGURATION, '-o', 'json')) as Configuration;
  const generation = async (): Promise<number> => (await configuration()).metadata.generation;
  const writes = (log: string): number => log.split('"webhook configuration written"').length - 1;

  /** Waits until the configuration has not changed for a while; rejects if that takes half a minute. */
  async function settled(): Promise<void> {
    let last = { generation: 0, at: Date.now() };
    await eventually('the configuration to settle', async () => {
      const now = await generation();
      if (now !== last.generation) last = { generation: now, at: Date.now() };
      return Date.now() - last.at > 2_000 ? true : undefined;
    });
  }

  async function expectNoWrites(...operators: readonly RunningOperator[]): Promise<void> {
    await settled();
    const count = (): number[] => operators.map((one) => writes(one.log()));
    const before = { generation: await generation(), writes: count() };
    await sleep(SETTLED_MS);
    expect({ generation: await generation(), writes: count() }).to.deep.equal(before);
  }

  async function conditionOf(
    namespace: string,
    type: string,
  ): Promise<{ status?: string; reason?: string; message?: string }> {
    const found = JSON.parse(await cluster.kubectl('get', 'vip', '-n', namespace, '-o', 'json')) as {
      items: { status?: { conditions?: { type: string; status: string; reason: string; message: string }[] } }[];
    };
    return found.items[0]?.status?.conditions?.find((one) => one.type === type) ?? {};
  }

  /** What every platform of this kind means: who is let in is injected, and who is not is told so. */
  async function expectEvaluated(): Promise<void> {
    for (const namespace of ['zoo', 'control']) {
      await eventually(`the policy in ${namespace} to say that it is kept out`, async () => {
        const { status, reason } = await conditionOf(namespace, 'Programmed');
        return status === 'False' && reason === 'ExcludedByPlatform' ? true : undefined;
      });
    }
    expect((await conditionOf('zoo', 'Programmed')).message).to.contain('kubernetes.io/metadata.name NotIn [zoo, ');
    expect((await conditionOf('control', 'Programmed')).message).to.contain('control-plane NotIn [true]');
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
  }

  describe('with a platform that edits it', () => {
    before(async () => {
      await cluster.namespace('zoo');
      await cluster.namespace('control');
      await cluster.kubectl('label', 'namespace', 'control', 'control-plane=true');
      for (const namespace of ['zoo', 'control']) await cluster.apply(policy(namespace, namespace));
    });
    beforeEach(async () => {
      await cluster.kubectl('delete', ...CONFIGURATION, '--ignore-not-found');
    });

    /** Adds what is missing, again and again, as a controller does; resolves when it has stopped. */
    function editAfterWrites(): () => Promise<void> {
      let going = true;
      const run = async (): Promise<void> => {
        while (going) {
          const found = await configuration().catch(() => undefined);
          if (found !== undefined && addMissing(found)) {
            // a conflict: the next round sees the newer one
            await plane.kubectl(['replace', '--field-manager=enforcer', '-f', '-'], JSON.stringify(found));
          }
          await sleep(50);
        }
      };
      const done = run();
      return async () => {
        going = false;
        await done;
      };
    }

    it('after each write, it settles with the additions, and evaluates them', async () => {
      others.push(editAfterWrites());
      await expectEvaluated();
      await expectNoWrites(operator);
      await cluster.namespace('late-after');
      await cluster.policy(policy('late-after', 'late'));
      await expectNoWrites(operator);
      const found = await configuration();
      expect(addMissing(found), 'all additions are there').to.equal(false);
      expect(found.metadata.annotations).to.include({ 'enforcer.example.com/seen': 'true' });
      await cluster.apply(deployment('late-after', 'app'));
      const live = await cluster.get('late-after', 'app');
      expect(live.spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
    });

    it('at admission, it settles as well', async function () {
      needs(this, 'mutatingAdmissionPolicies');
      await cluster.apply(ENFORCER);
      await cluster.apply(ENFORCER_BINDING);
      others.push(async () => {
        await cluster.kubectl('delete', 'mutatingadmissionpolicybinding,mutatingadmissionpolicy', 'enforcer');
      });
      await eventually('the enforcer to be at work', async () => {
        await cluster.kubectl('delete', ...CONFIGURATION, '--ignore-not-found');
        await sleep(1_000);
        const { webhooks = [] } = await configuration();
        return webhooks.length > 0 && webhooks.every(isNarrowed) ? true : undefined;
      });
      await expectEvaluated();
      await expectNoWrites(operator);
      await cluster.namespace('late-admitted');
      await cluster.policy(policy('late-admitted', 'late'));
      await expectNoWrites(operator);
      expect((await configuration()).webhooks?.every(isNarrowed)).to.equal(true);
    });

    it('in another way than by narrowing it, it is repaired', async () => {
      await eventually('the configuration to be back', async () => {
        const found = await configuration().catch(() => undefined);
        return found?.webhooks?.some(({ name }) => name === 'fail.vaultinjection.dev') ? true : undefined;
      });
      await sleep(1_000);
      const widened = { op: 'add', path: '/webhooks/0/rules/0/operations/-', value: 'DELETE' };
      await cluster.kubectl('patch', ...CONFIGURATION, '--type=json', '-p', JSON.stringify([widened]));
      await eventually('the rule to be narrow again', async () => {
        const text = JSON.stringify(await configuration());
        return text.includes('DELETE') ? undefined : true;
      });
    });
  });

  describe('with a second installation', () => {
    let second: RunningOperator;
    before(async () => {
      await cluster.namespace('second');
      second = await startOperator({ controlPlane: plane, prepare: false, flags: ['--namespace', 'second'] });
    });
    after(() => second.stop());

    const ready = async (of: RunningOperator): Promise<string> => (await of.health('/readyz')).body;

    it('is left to the first, which the second names and does not disturb', async () => {
      const named = `the webhook configuration belongs to the installation in namespace ${SYSTEM}`;
      await eventually('the second to say what it found', async () =>
        (await ready(second)).includes(named) ? true : undefined,
      );
      expect(await ready(second)).to.contain('kubectl delete mutatingwebhookconfiguration vault-injection-operator');
      await cluster.namespace('another');
      await cluster.policy(policy('another', 'another'));
      await expectNoWrites(operator, second);
      expect((await second.health('/readyz')).status).to.equal(503);
      expect((await operator.health('/readyz')).status).to.equal(200);
      expect(writes(second.log())).to.equal(0);
      expect(second.log()).not.to.contain('the status of the policy changed');
      expect(second.log().split('this operator writes nothing')).to.have.length(2);
    });

    it('is taken over by the second when somebody deletes it', async () => {
      await cluster.kubectl('delete', ...CONFIGURATION);
      await eventually('the first to see that it is another’s', async () =>
        (await ready(operator)).includes('belongs to the installation in namespace second') ? true : undefined,
      );
      await eventually('the second to be ready', async () =>
        (await second.health('/readyz')).status === 200 ? true : undefined,
      );
      await expectNoWrites(operator, second);
      await cluster.policyIs('shop', 'shop', 'Ready', 'True');
      await cluster.apply(deployment('shop', 'after-takeover'));
      const live = await cluster.get('shop', 'after-takeover');
      expect(live.spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
    });
  });
});

function isNarrowed({ namespaceSelector }: { namespaceSelector: { matchExpressions: readonly Term[] } }): boolean {
  return ADDED.every((term) =>
    namespaceSelector.matchExpressions.some((other) => JSON.stringify(sorted(other)) === JSON.stringify(sorted(term))),
  );
}

function sorted({ key, operator, values }: Term): Term {
  return { key, operator, ...(values && { values }) };
}

/** Adds to the configuration what the platform wants in it; returns false if it has all of it. */
function addMissing(found: Configuration): boolean {
  const missing = (found.webhooks ?? []).filter((entry) => !isNarrowed(entry));
  const { annotations = {} } = found.metadata;
  const isSeen = annotations['enforcer.example.com/seen'] === 'true';
  for (const { namespaceSelector } of missing) namespaceSelector.matchExpressions.push(...ADDED);
  Object.assign(found.metadata, { annotations: { ...annotations, 'enforcer.example.com/seen': 'true' } });
  return missing.length > 0 || !isSeen;
}

// API servers call no webhook for webhook configurations, but they apply MutatingAdmissionPolicies to them.
const ENFORCER = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingAdmissionPolicy',
  metadata: { name: 'enforcer' },
  spec: {
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: ['admissionregistration.k8s.io'],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['mutatingwebhookconfigurations'],
        },
      ],
    },
    mutations: ADDED.map(({ key, operator, values = [] }) => ({
      patchType: 'JSONPatch',
      jsonPatch: {
        expression: `[0, 1, 2].filter(i, has(object.webhooks) && i < size(object.webhooks) &&
          !object.webhooks[i].namespaceSelector.matchExpressions.exists(e,
            e.key == '${key}' && e.operator == '${operator}' && '${values[0] ?? ''}' in e.values)).map(i, JSONPatch{
          op: 'add', path: '/webhooks/' + string(i) + '/namespaceSelector/matchExpressions/-',
          value: Object.webhooks.namespaceSelector.matchExpressions{
            key: '${key}', operator: '${operator}', values: ${JSON.stringify(values)}}})`,
      },
    })),
  },
};

const ENFORCER_BINDING = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingAdmissionPolicyBinding',
  metadata: { name: 'enforcer' },
  spec: { policyName: 'enforcer' },
};
