import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';

import { Cluster } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { skipWithoutNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { workload } from './pods.ts';

/** A rolling update waits for the secrets: no pod that works is replaced by one that fails (ADR 19). */

const NAMESPACE = 'shop';
const SECRET = { username: 'shop', password: 'not-looked-at' };
const PROGRAM = { image: 'localhost/probe:1', command: ['/probe', '-wait', '--', 'PASSWORD'] };
const GOOD = 'vault:secret/data/shop/db#password';
const REPLICAS = 2;
// vault-env gives up after this, so a pod that lacks its secrets has failed at least once.
const TIMEOUT = '3s';
const WATCHED_MS = 12_000;
const ALIVE = { exec: { command: ['/probe'] }, periodSeconds: 1 };

interface PodSpec {
  containers: Record<string, unknown>[];
  initContainers?: Record<string, unknown>[];
  shareProcessNamespace?: boolean;
}
interface Deployment {
  metadata: { name: string; namespace: string; labels: Record<string, string> };
  spec: { replicas: number; progressDeadlineSeconds?: number; template: { spec: PodSpec } };
  status?: { availableReplicas?: number; updatedReplicas?: number; unavailableReplicas?: number };
}

describe('a rolling update on a real kubelet', function () {
  this.timeout(240_000);
  let stage: Stage;
  let cluster: Cluster;

  before(async function () {
    skipWithoutNode(this);
    stage = await startStage({ withNode: true }, SECRET);
    cluster = new Cluster(stage.plane);
    await cluster.namespace(NAMESPACE);
    await cluster.kubectl('create', 'serviceaccount', 'shop', '-n', NAMESPACE);
    await cluster.policy(shop('held'));
    await cluster.policy(shop('daemon', { process: { mode: 'Daemon' } }));
    await cluster.policy(shop('bare', { inject: { startupProbe: false } }));
  });
  after(async () => {
    // before() may have skipped
    await (stage as Stage | undefined)?.stop();
  });

  function shop(name: string, spec: Record<string, unknown> = {}, role = 'shop'): Record<string, unknown> {
    const tls = { caBundle: stage.vault.caPem };
    return policy(NAMESPACE, name, {
      vault: { address: stage.vault.tlsAddress, tls, auth: { role }, timeout: TIMEOUT },
      selector: { matchLabels: { policy: name } },
      injector: { delivery: 'ImageVolume', imagePullPolicy: 'Never' },
      ...spec,
    });
  }

  /** A Deployment whose pods come one after the other, so that none of them waits for another's port. */
  function deployment(name: string, by: string, change: (spec: PodSpec) => void = () => undefined): Deployment {
    const made = workload(NAMESPACE, name, by, PROGRAM, { PASSWORD: GOOD }) as unknown as Deployment;
    made.spec.replicas = REPLICAS;
    made.spec.progressDeadlineSeconds = 15;
    change(made.spec.template.spec);
    return made;
  }

  async function read(name: string): Promise<Deployment> {
    return JSON.parse(await cluster.kubectl('get', 'deployment', name, '-n', NAMESPACE, '-o', 'json')) as Deployment;
  }

  async function isAvailable(made: Deployment): Promise<void> {
    const { name } = made.metadata;
    await cluster.apply(made);
    await cluster.kubectl('rollout', 'status', 'deployment', name, '-n', NAMESPACE, '--timeout=90s');
  }

  /** Does something, and returns how many pods of the Deployment are available at the least in the time after it. */
  async function leastAvailable(name: string, act: () => Promise<unknown>): Promise<number> {
    await act();
    let least = Infinity;
    const end = Date.now() + WATCHED_MS;
    while (Date.now() < end) {
      least = Math.min(least, (await read(name)).status?.availableReplicas ?? 0);
      await sleep(200);
    }
    return least;
  }

  const refersTo = (name: string, reference: string): Promise<unknown> =>
    cluster.kubectl('set', 'env', 'deployment', name, '-n', NAMESPACE, `PASSWORD=${reference}`);

  it('loses pods where nothing holds it: without the probe', async () => {
    await isAvailable(deployment('bare', 'bare'));
    const least = await leastAvailable('bare', () => refersTo('bare', 'vault:secret/data/shop/db#passwrd'));
    expect(least).to.be.below(REPLICAS);
  });

  const shapes: Readonly<Record<string, { by?: string; change?: (spec: PodSpec) => void }>> = {
    'a container without probes': {},
    'a container in daemon mode': { by: 'daemon' },
    'a container in one process namespace for the pod': {
      change: (spec) => {
        spec.shareProcessNamespace = true;
        spec.containers.push({ ...spec.containers[0], name: 'neighbour', env: [] });
      },
    },
    'a native sidecar': {
      change: (spec) => {
        const [app = {}] = spec.containers;
        spec.initContainers = [{ ...app, name: 'sidecar', restartPolicy: 'Always' }];
        spec.containers = [{ ...app, env: [] }];
      },
    },
    'a container with a liveness probe': {
      change: (spec) => {
        Object.assign(spec.containers[0] ?? {}, { livenessProbe: ALIVE });
      },
    },
  };
  for (const [index, [what, { by = 'held', change }]] of Object.entries(shapes).entries()) {
    it(`is held by ${what} while a key is wrong, and goes on when it is right`, async () => {
      const name = `shape-${index}`;
      await isAvailable(deployment(name, by, change));
      const wrong = deployment(name, by, (spec) => {
        change?.(spec);
        for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
          if ((container.env as unknown[]).length > 0) {
            container.env = [{ name: 'PASSWORD', value: 'vault:secret/data/shop/db#passwrd' }];
          }
        }
      });
      const least = await leastAvailable(name, () => cluster.apply(wrong));
      expect(least).to.equal(REPLICAS);
      await isAvailable(deployment(name, by, change));
      await cluster.kubectl('delete', 'deployment', name, '-n', NAMESPACE);
    });
  }

  it('whose pods fail says why in their status', async () => {
    const name = 'says-why';
    const made = deployment(name, 'held');
    made.spec.replicas = 1;
    await isAvailable(made);
    await refersTo(name, 'vault:secret/data/shop/db#passwrd');
    const jsonPath = '{.items[*].status.containerStatuses[0].lastState.terminated.message}';
    const message = await eventually('a message of a pod that has failed', async () => {
      const args = ['get', 'pods', '-n', NAMESPACE, '-l', `app=${name}`, '-o', `jsonpath=${jsonPath}`];
      return (await cluster.kubectl(...args)).trim() || undefined;
    });
    expect(message).to.match(
      /^vault-env: error: PASSWORD: secret\/data\/shop\/db: the secret has no key "passwrd".* \[policy shop\/held\]$/,
    );
    await cluster.kubectl('delete', 'deployment', name, '-n', NAMESPACE);
  });

  it('is held by a restart while Vault is sealed, and goes on when it is unsealed', async () => {
    const made = deployment('sealed', 'held');
    // the kubelet waits longer and longer before it starts a container again
    made.spec.progressDeadlineSeconds = 600;
    await isAvailable(made);
    await stage.vault.seal();
    try {
      const least = await leastAvailable('sealed', () =>
        cluster.kubectl('rollout', 'restart', 'deployment', 'sealed', '-n', NAMESPACE),
      );
      expect(least).to.equal(REPLICAS);
    } finally {
      await stage.vault.unseal();
    }
    await cluster.kubectl('rollout', 'status', 'deployment', 'sealed', '-n', NAMESPACE, '--timeout=120s');
  });

  it('of the operator stops at the first of six when the role is wrong: no pod is lost', async () => {
    const names = Array.from({ length: 6 }, (_, index) => `six-${index}`);
    const rollout = { strategy: 'Automatic', maxConcurrent: 1 };
    await cluster.policy(shop('six', { rollout }));
    for (const name of names) {
      const made = deployment(name, 'six');
      made.spec.replicas = 1;
      await isAvailable(made);
    }
    await cluster.apply(shop('six', { rollout }, 'nobodys'));
    const reason = (): Promise<string> =>
      cluster.kubectl('get', 'vip', 'six', '-n', NAMESPACE, '-o', 'jsonpath={.status.reason}');
    await eventually(
      'the policy to be stalled',
      async () => ((await reason()) === 'RolloutFailed' ? true : undefined),
      60_000,
    );
    console.log((await cluster.kubectl('get', 'vip', '-n', NAMESPACE)).trimEnd().replaceAll(/^/gm, '        '));
    const all = await Promise.all(names.map(read));
    expect(all.map(({ status }) => status?.availableReplicas ?? 0)).to.deep.equal(Array(6).fill(1));
    const begun = all.filter(({ spec }) => JSON.stringify(spec).includes('nobodys'));
    expect(begun.map(({ metadata }) => metadata.name)).to.have.length(1);
  });
});
