import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';

import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { rolloutStateOf } from '../../core/kinds.ts';
import { Cluster, WRAPPER, type Live } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { skipWithoutNode } from '../support/node.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { createRole } from '../support/vault.ts';
import { workload } from './pods.ts';

/** The story that docs/guides/inventory.md tells, with its tables: they are printed here. */

const NAMESPACE = 'shop';
const WORKLOADS = 40;
const LATE = 15;
// Each holds its slot until its pods have been available for vault.timeout and 5 s.
const AT_ONCE = 5;
const TIMEOUT = '2s';
const REPAIRED_WITHIN_MS = 30_000;
const SECRET = { username: 'shop', password: 'not-looked-at' };
const PROGRAM = { image: 'localhost/probe:1', command: ['/probe', '-wait', '--', 'PASSWORD'] };

describe('forty workloads on a real kubelet', function () {
  this.timeout(240_000);
  let stage: Stage;
  let cluster: Cluster;
  let operator: RunningOperator;
  let client: ApiClient;

  before(async function () {
    skipWithoutNode(this);
    stage = await startStage({ withNode: true }, SECRET);
    operator = stage.operator;
    cluster = new Cluster(stage.plane);
    client = new ApiClient({ kubeConfig: loadKubeConfig({ file: stage.plane.kubeconfig }), userAgent: 'story' });
    await createRole(stage.vault, 'shop-2', { namespaces: [NAMESPACE], policies: ['shop'], audience: 'vault' });
    await cluster.namespace(NAMESPACE);
    await cluster.kubectl('create', 'serviceaccount', 'shop', '-n', NAMESPACE);
    await cluster.policy(shop());
  });
  after(async () => {
    // before() may have skipped
    const started = [operator, stage] as ({ stop(): Promise<void> } | undefined)[];
    for (const part of started) await part?.stop();
  });

  function shop(): Record<string, unknown> {
    const tls = { caBundle: stage.vault.caPem };
    const vault = { address: stage.vault.tlsAddress, tls, auth: { role: 'shop' }, timeout: TIMEOUT };
    const injector = { delivery: 'ImageVolume', imagePullPolicy: 'Never' };
    return policy(NAMESPACE, 'shop', { vault, injector, failurePolicy: 'Ignore' });
  }

  const names = Array.from({ length: WORKLOADS }, (_, index) => `app-${String(index + 1).padStart(2, '0')}`);

  async function deploy(some: readonly string[]): Promise<void> {
    const env = { PASSWORD: 'vault:secret/data/shop/db#password' };
    const items = some.map((name) => workload(NAMESPACE, name, 'shop', PROGRAM, env));
    await cluster.apply({ apiVersion: 'v1', kind: 'List', items });
  }

  const available = (): Promise<string> =>
    cluster.kubectl('wait', '--for=condition=Available', 'deployment', '--all', '-n', NAMESPACE, '--timeout=120s');

  async function deployments(): Promise<readonly (Live & KubernetesObject)[]> {
    const list = await cluster.kubectl('get', 'deployments', '-n', NAMESPACE, '-o', 'json');
    return (JSON.parse(list) as { items: (Live & KubernetesObject)[] }).items;
  }

  async function wrapped(): Promise<number> {
    const commands = (await deployments()).map(({ spec }) => spec.template.spec.containers[0]?.command?.[0]);
    return commands.filter((command) => command === WRAPPER).length;
  }

  /** Prints what kubectl prints, by default about the policy. */
  async function tell(moment: string, ...command: string[]): Promise<void> {
    const args = [...(command.length > 0 ? command : ['get', 'vip']), '-n', NAMESPACE];
    const text = `$ kubectl ${args.join(' ')}\n${await cluster.kubectl(...args)}`;
    console.log(`      ${moment}\n${text.trimEnd().replaceAll(/^/gm, '        ')}`);
  }

  interface Status {
    readonly workloads?: Readonly<Record<string, number>>;
    readonly attention?: readonly { readonly kind: string; readonly name: string; readonly state: string }[];
    readonly attentionOmitted?: number;
  }

  async function status(): Promise<Status> {
    const found = JSON.parse(await cluster.kubectl('get', 'vip', 'shop', '-n', NAMESPACE, '-o', 'json')) as {
      status: Status;
    };
    return found.status;
  }

  function counts(what: string, wanted: Readonly<Record<string, number>>, withinMs = 30_000): Promise<Status> {
    return eventually(
      `the status to tell of ${what}`,
      async () => {
        const found = await status();
        if (Object.entries(wanted).every(([state, count]) => found.workloads?.[state] === count)) return found;
        await sleep(200);
        return undefined;
      },
      withinMs,
    );
  }

  it(`are counted: ${WORKLOADS - LATE} injected`, async () => {
    await deploy(names.slice(LATE));
    await available();
    await counts('25 injected', { matched: 25, injected: 25, missed: 0 });
    await tell('25 workloads:');
  });

  it(`${LATE} of them come while the operator is away, and are injected within 30 s of its return`, async () => {
    await operator.stop();
    await deploy(names.slice(0, LATE));
    await available();
    expect(await wrapped(), 'admitted without injection').to.equal(WORKLOADS - LATE);

    const seen: number[] = [];
    const started = Date.now();
    const back = startOperator({ controlPlane: stage.plane, injectorImage: 'localhost/vault-env:1' });
    await eventually('the missed ones to be noticed', async () => {
      const { missed = 0 } = (await status()).workloads ?? {};
      if (missed > 0) seen.push(missed);
      return seen.length > 0 || (await wrapped()) === WORKLOADS ? true : undefined;
    });
    await tell('the operator is back:', 'get', 'vip', '-o', 'wide');
    operator = await back;
    await counts('all injected', { matched: WORKLOADS, injected: WORKLOADS, missed: 0 }, REPAIRED_WITHIN_MS);
    const took = Date.now() - started;
    expect(await wrapped()).to.equal(WORKLOADS);
    expect(took).to.be.below(REPAIRED_WITHIN_MS);
    await tell(`${(took / 1000).toFixed(0)} s after its start:`, 'get', 'vip', '-o', 'wide');
    await available();
    const about = 'involvedObject.kind=Deployment,involvedObject.name=app-01,source=vault-injection-operator';
    await tell('what happened to one of them:', 'get', 'events', `--field-selector=${about}`);
  });

  it('are all outdated when the role changes, and stay so until somebody acts', async () => {
    const body = JSON.stringify({ spec: { vault: { auth: { role: 'shop-2' } } } });
    await cluster.kubectl('patch', 'vip', 'shop', '-n', NAMESPACE, '--type=merge', '-p', body);
    const { attention = [], attentionOmitted } = await counts('40 outdated', { outdated: WORKLOADS, injected: 0 });
    expect(attention.map(({ state }) => state)).to.deep.equal(Array(20).fill('Outdated'));
    expect(attentionOmitted).to.equal(WORKLOADS - 20);
    await tell('the role has changed:');
    const three = `{range .status.attention[0:3]}{.kind}/{.name}: {.state}, {.reason}: {.message}{"\\n"}{end}`;
    await tell('the first of them:', 'get', 'vip', 'shop', `-o=jsonpath=${three}`);
  });

  it('are brought up to date one by one with an annotation', async () => {
    await cluster.kubectl('annotate', 'deployment', 'app-07', '-n', NAMESPACE, 'vaultinjection.dev/apply=now');
    await counts('one up to date', { outdated: WORKLOADS - 1, injected: 1 });
    await eventually('the annotation to be taken away', async () => {
      const { annotations = {} } = (await cluster.get(NAMESPACE, 'app-07')).metadata;
      return 'vaultinjection.dev/apply' in annotations ? undefined : true;
    });
    await tell('app-07 was annotated with vaultinjection.dev/apply=now:');
  });

  it(`are rolled out by the operator, never more than ${AT_ONCE} at once`, async () => {
    const resource = { group: 'apps', version: 'v1', plural: 'deployments', namespace: NAMESPACE };
    const { metadata, items } = await client.list(resource);
    const rolls = new Rolls('shop-2', items);
    const ended = new AbortController();
    const started = Date.now();
    const body = JSON.stringify({ spec: { rollout: { strategy: 'Automatic', maxConcurrent: AT_ONCE } } });
    await cluster.kubectl('patch', 'vip', 'shop', '-n', NAMESPACE, '--type=merge', '-p', body);
    const { resourceVersion } = metadata;
    const watch = client.watch(resource, { resourceVersion, timeoutSeconds: 200, signal: ended.signal });
    for await (const event of watch) {
      if (event.type === 'ERROR') throw new Error(`the watch broke with ${event.status.code}`);
      rolls.see(event.object);
      if (rolls.done.size === WORKLOADS) break;
    }
    ended.abort();
    console.log(`      rolled out in ${((Date.now() - started) / 1000).toFixed(0)} s, at most ${rolls.most} at once`);
    expect(rolls.done.size).to.equal(WORKLOADS);
    expect(rolls.most, 'as many as it may').to.equal(AT_ONCE);
    await counts('all injected', { injected: WORKLOADS, outdated: 0 });
    await tell('after the rollout:');
  });
});

/**
 * Follows a watch: whose template has the new role, and which of those are not yet available as the API server's own
 * status has it. Events of one watch come in the order in which they were written, so no moment is missed.
 */
class Rolls {
  readonly done = new Set<string>();
  readonly #rolling = new Set<string>();
  readonly #role: string;
  most = 0;

  constructor(role: string, before: readonly KubernetesObject[]) {
    this.#role = role;
    for (const object of before) this.see(object);
  }

  see(object: KubernetesObject): void {
    const { name } = object.metadata;
    if (!JSON.stringify(object.spec).includes(`\\"role\\":\\"${this.#role}\\"`)) return;
    const isComplete = rolloutStateOf('Deployment', object).phase === 'Complete';
    this.#rolling[isComplete ? 'delete' : 'add'](name);
    if (isComplete) this.done.add(name);
    this.most = Math.max(this.most, this.#rolling.size);
  }
}
