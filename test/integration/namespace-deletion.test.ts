/**
 * Deployments are created in a namespace with a Fail policy all the time, while the namespace of the operator is deleted.
 * The replicas remove the configuration as soon as they see it, and the namespace controller begins to delete the Service
 * five seconds later (docs/adr/0033-removed-without-a-trace.md): none is refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import type { KubernetesObject, Resource } from '../../core/object.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { installDefault } from '../support/installed.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster, WRAPPER, type Live } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const { name: NAME, namespace: SYSTEM } = OPERATOR;
const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments', namespace: 'shop' };
const WORKERS = 4;
const PATIENCE_MS = 120_000;
// API servers follow a configuration a moment after it is gone.
const NOTICED_MS = 2_000;
/** How often it is done: more for figures. */
const TURNS = Number(process.env.NAMESPACE_DELETIONS ?? 1);

interface Creation {
  readonly sentAt: number;
  readonly endedAt: number;
  readonly outcome: 'injected' | 'as meant' | 'refused';
  readonly message: string;
}

describe('the namespace of the operator is deleted while workloads are created under Fail', function () {
  this.timeout(300_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  const replicas: RunningOperator[] = [];
  let count = 0;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    await cluster.namespace('shop');
  });
  after(async () => {
    await stopReplicas();
    await plane.stop();
  });

  async function stopReplicas(): Promise<void> {
    for (const replica of replicas.splice(0)) await replica.stop('SIGKILL');
  }

  async function install(): Promise<void> {
    await stopReplicas();
    await gone(`namespace/${SYSTEM}`); // of the turn before
    await plane.kubectlOk(['delete', 'deployments', '--all', '-n', 'shop', '--wait=false']);
    const kubeconfig = await installDefault(plane, `operator-${(count += 1)}`);
    const kubectlOk = (args: readonly string[], stdin?: string): Promise<string> => plane.kubectlOk(args, stdin);
    const start = async (...more: string[]): Promise<RunningOperator> => {
      const controlPlane = { kubeconfig, kubectlOk };
      // as shipped: replicas that are ended answer reviews for 15 s
      const flags = ['--certificate-wait', '1s', '--drain', '15s', ...more];
      const replica = await startOperator({ controlPlane, service: NAME, flags });
      replicas.push(replica);
      return replica;
    };
    const first = await start();
    // all listen on one port for the Service: this one answers no review here
    await start('--webhook-service-port', String(first.webhookPort));
    await eventually(
      'the policy',
      async () => cluster.apply(policy('shop', 'shop', { failurePolicy: 'Fail' })).catch(() => undefined),
      PATIENCE_MS,
    );
    const port = '{.webhooks[?(@.name=="fail.vaultinjection.dev")].clientConfig.service.port}';
    await eventually(
      'the Fail entry to lead to the replica',
      async () => {
        const args = ['get', 'mutatingwebhookconfiguration', NAME, '-o', `jsonpath=${port}`];
        return (await plane.kubectl(args)).stdout === String(first.webhookPort) ? true : undefined;
      },
      PATIENCE_MS,
    );
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
  }

  /** Creates Deployments until it is told to stop. */
  async function createUntil(signal: AbortSignal): Promise<Creation[]> {
    const kubeConfig = loadKubeConfig({ file: plane.kubeconfig, context: '' });
    const client = new ApiClient({ kubeConfig, userAgent: 'creator/1' });
    const creations: Creation[] = [];
    const work = async (): Promise<void> => {
      while (!signal.aborted) {
        const sentAt = Date.now();
        const add = (outcome: Creation['outcome'], message = ''): unknown =>
          creations.push({ sentAt, endedAt: Date.now(), outcome, message });
        try {
          const object = deployment('shop', `web-${(count += 1)}`) as unknown as KubernetesObject;
          const { spec } = (await client.create(DEPLOYMENTS, object)) as unknown as Live;
          add(spec.template.spec.containers[0]?.command?.[0] === WRAPPER ? 'injected' : 'as meant');
        } catch (error) {
          add('refused', (error as Error).message);
        }
        await sleep(5);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    await kubeConfig.close();
    return creations;
  }

  /** Resolves with when something was first seen to be gone. */
  async function gone(...args: string[]): Promise<number> {
    await plane.kubectlOk(['wait', '--for=delete', ...args, `--timeout=${PATIENCE_MS / 1000}s`]);
    return Date.now();
  }

  for (let turn = 1; turn <= TURNS; turn += 1)
    it(`refuses none of them (${turn})`, async () => {
      await install();
      const over = new AbortController();
      const creating = createUntil(over.signal);
      await sleep(1_000);
      const configurationGone = gone(`mutatingwebhookconfiguration/${NAME}`);
      const serviceGone = gone(`service/${NAME}`, '-n', SYSTEM);
      await sleep(500); // both are being watched
      const deletedAt = Date.now();
      await plane.kubectlOk(['delete', 'namespace', SYSTEM, '--wait=false']);
      // as the kubelet does to the pods, which are deleted with the namespace
      for (const { pid } of replicas) process.kill(pid, 'SIGTERM');
      const goneAt = await configurationGone;
      const serviceGoneAt = await serviceGone;
      await sleep(NOTICED_MS);
      over.abort();
      const creations = await creating;
      const refused = creations.filter(({ outcome }) => outcome === 'refused');
      const after = (at: number): string => `${at - deletedAt} ms`;
      process.stdout.write(
        `      ${creations.length} created, ${refused.length} refused; after kubectl delete namespace the configuration was ` +
          `seen gone after ${after(goneAt)}, the Service after ${after(serviceGoneAt)}\n`,
      );
      // a machine that stands still for five seconds may see it the other way round
      const isFirst = goneAt + NOTICED_MS < serviceGoneAt;
      const known = (message: string): boolean => !isFirst && message.includes(`service "${NAME}" not found`);
      expect(refused.map(({ message }) => message).filter((message) => !known(message))).to.deep.equal([]);
      expect(refused.filter(({ sentAt }) => sentAt > goneAt + NOTICED_MS)).to.deep.equal([]);
      const outcomes = new Set(creations.map(({ outcome }) => outcome));
      expect([outcomes.has('injected'), outcomes.has('as meant')]).to.deep.equal([true, true]);
    });
});
