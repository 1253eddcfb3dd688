/**
 * One of two replicas loses its API server without noticing: its watch of policies, or all it is connected to, falls
 * silent, and no connection closes. Meanwhile namespaces get policies, and workloads are created through both replicas.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { KubernetesObject, Resource } from '../../core/object.ts';
import { CONFIGURATION_NAME } from '../../webhook/configuration/configuration.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { Cluster, WRAPPER } from '../integration/cluster.ts';
import type { Live } from '../integration/cluster.ts';
import { deployment, policy } from '../integration/manifests.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';
import type { Replica, ReplicaSet } from './replica-set.ts';
import { startReplicas } from './replica-set.ts';

export interface Freeze {
  readonly what: 'policy watch' | 'everything';
  /** Whether the replica that is frozen is the leader. */
  readonly leader: boolean;
}

export interface FrozenOptions {
  readonly plane: ControlPlane;
  readonly freezes: readonly Freeze[];
  /** How many namespaces get their first policy while one replica is frozen. */
  readonly namespaces: number;
  /** How many workloads are created in each of them, at the same time. */
  readonly workloads: number;
}

/** Workloads that were created or changed in one way. */
export interface Tally {
  tried: number;
  injected: number;
  refused: number;
  /** Stored with the reference as plain text. */
  bare: number;
}

export interface FrozenResult extends Freeze {
  /** In namespaces whose first policy came while one replica was frozen, once the configuration had them. */
  readonly created: Tally;
  /** In namespaces that had policies before: created and changed all the time. */
  readonly before: Tally;
  /** Selected only by a second policy, which came while one replica was frozen, once it was Programmed. */
  readonly widened: Tally;
  /** Requests that the frozen replica answered with 503, so that the API server asked the other one. */
  readonly postponed: number;
  /** From the freeze to the first /readyz that said 503. */
  readonly notReadyAfterMs: number;
  /** From the freeze until the other replica led; undefined: leadership did not move. */
  readonly leaderMovedAfterMs: number | undefined;
  /** What was not as it should be a minute after the thaw. */
  readonly wrongAfterThaw: readonly string[];
  /** What the API server said about the last one that was refused; '' if none was. */
  readonly refusal: string;
}

const POLICIES: Resource = {
  group: 'vaultinjection.dev',
  version: 'v1alpha1',
  plural: 'vaultinjectionpolicies',
};
const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces' };
const CONFIGURATIONS: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
};
// An API server learns of a written configuration within milliseconds, this one on a busy machine.
const SETTLE_MS = 1_000;
const PAUSE_MS = 100;
const PATIENCE_MS = 120_000;

/** Plays one freeze after another, each with replicas of its own. */
export async function playFrozen({ plane, freezes, namespaces, workloads }: FrozenOptions): Promise<FrozenResult[]> {
  const results: FrozenResult[] = [];
  for (const [index, freeze] of freezes.entries()) {
    const set = await startReplicas({ plane, count: 2, proxied: freeze.leader ? 1 : 2, lagMs: 1_000 });
    const kubeConfig = loadKubeConfig({ file: plane.kubeconfig, context: '' });
    const client = new ApiClient({ kubeConfig, userAgent: 'frozen/1' });
    try {
      const scene = new Scene({ plane, client, set, freeze, prefix: `frozen-${index + 1}`, namespaces, workloads });
      results.push(await scene.play());
    } finally {
      await set.close();
      await kubeConfig.close();
    }
  }
  return results;
}

interface SceneOptions extends Pick<FrozenOptions, 'plane' | 'namespaces' | 'workloads'> {
  readonly client: ApiClient;
  readonly set: ReplicaSet;
  readonly freeze: Freeze;
  readonly prefix: string;
}

/** One freeze: what is before it, during it and after it. */
class Scene {
  readonly #options: SceneOptions;
  readonly #cluster: Cluster;
  readonly #frozen: Replica;
  readonly #other: Replica;
  #refusal = '';

  constructor(options: SceneOptions) {
    this.#options = options;
    this.#cluster = new Cluster(options.plane);
    const { replicas } = options.set;
    const [frozen, other] = [replicas.find(({ proxy }) => proxy), replicas.find(({ proxy }) => !proxy)];
    if (frozen === undefined || other === undefined) throw new Error('one replica has a proxy, the other has none');
    [this.#frozen, this.#other] = [frozen, other];
  }

  async play(): Promise<FrozenResult> {
    const { freeze, prefix } = this.#options;
    const [old, narrow] = [`${prefix}-old`, `${prefix}-narrow`];
    const leader = freeze.leader ? this.#frozen : this.#other;
    await eventually('the first replica to lead', () => (leader.isLeader() ? true : undefined));
    await this.#namespace(old, policy(old, 'strict'));
    await this.#namespace(narrow, policy(narrow, 'narrow', { selector: { matchLabels: { chosen: 'yes' } } }));
    for (const namespace of [old, narrow]) await this.#programmed(namespace, 'Ready');
    const [created, before, widened] = [tally(), tally(), tally()];
    await this.#create(old, 'running', before);

    const postponedBefore = await postponedBy(this.#frozen);
    const frozenAt = performance.now();
    this.#freeze(true);
    const over = new AbortController();
    const goOn = this.#goOn(old, before, over.signal);
    const [notReadyAfterMs, leaderMovedAfterMs] = await Promise.all([
      this.#since(frozenAt, 'the frozen replica not to be ready', () => this.#isUnready()),
      freeze.leader ? this.#since(frozenAt, 'the other replica to lead', () => this.#other.isLeader()) : undefined,
      this.#newNamespaces(created),
      this.#widen(narrow, widened),
    ]).finally(() => over.abort());
    await goOn;
    const postponed = (await postponedBy(this.#frozen)) - postponedBefore;
    const moved = leaderMovedAfterMs ?? (this.#other.isLeader() ? undefined : 0);
    this.#freeze(false);
    const wrongAfterThaw = await this.#wrongAfterThaw();
    return {
      ...freeze,
      ...{ created, before, widened, postponed, notReadyAfterMs, wrongAfterThaw, refusal: this.#refusal },
      leaderMovedAfterMs: moved,
    };
  }

  #freeze(on: boolean): void {
    const { proxy } = this.#frozen;
    if (this.#options.freeze.what === 'everything') proxy?.silence(on);
    else proxy?.freeze(on ? POLICIES.plural : '');
  }

  async #isUnready(): Promise<boolean> {
    return (await this.#frozen.operator.health('/readyz')).status === 503;
  }

  async #since(begun: number, what: string, isSo: () => Promise<boolean> | boolean): Promise<number> {
    await eventually(what, async () => ((await isSo()) ? true : undefined), PATIENCE_MS);
    return performance.now() - begun;
  }

  async #namespace(name: string, manifest: Record<string, unknown>): Promise<void> {
    const { client } = this.#options;
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await client.create({ ...POLICIES, namespace: name }, manifest as unknown as KubernetesObject);
  }

  /** Workloads in a namespace that had its policy before: one more and a change of the first, again and again. */
  async #goOn(namespace: string, into: Tally, signal: AbortSignal): Promise<void> {
    const { client } = this.#options;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const changes = { spec: { template: { metadata: { annotations: { turn: String(turn) } } } } };
      const patch = (): Promise<unknown> => client.patch(deployments(namespace), 'running-0', changes, FIELD_MANAGER);
      await Promise.all([this.#one(namespace, `more-${turn}`, into), this.#count(into, patch)]);
      await sleep(PAUSE_MS);
    }
  }

  async #newNamespaces(into: Tally): Promise<void> {
    const { prefix, namespaces } = this.#options;
    for (let index = 0; index < namespaces; index += 1) {
      const name = `${prefix}-new-${index}`;
      await this.#namespace(name, policy(name, 'strict'));
      await eventually(`the configuration to fail for ${name}`, () => this.#isConfigured(name), PATIENCE_MS);
      await sleep(SETTLE_MS);
      await this.#create(name, 'app', into);
    }
  }

  async #isConfigured(namespace: string): Promise<true | undefined> {
    const found = await this.#options.client.get<Configuration>(CONFIGURATIONS, CONFIGURATION_NAME);
    const failing = found?.webhooks.filter(({ clientConfig: { url } }) => url?.endsWith('/fail') === true) ?? [];
    return JSON.stringify(failing).includes(`"${namespace}"`) ? true : undefined;
  }

  async #widen(namespace: string, into: Tally): Promise<void> {
    const { client } = this.#options;
    const wide = policy(namespace, 'wide') as unknown as KubernetesObject;
    await client.create({ ...POLICIES, namespace }, wide);
    await this.#programmed(namespace, 'Programmed');
    await this.#create(namespace, 'app', into);
  }

  /** Waits until a condition of all policies of a namespace is true. */
  async #programmed(namespace: string, type: string): Promise<void> {
    const isSo = async (): Promise<true | undefined> => {
      const { items } = await this.#options.client.list<Policy>({ ...POLICIES, namespace });
      return items.every((one) => faultOf(one, type) === undefined) ? true : undefined;
    };
    await eventually(`the policies of ${namespace} to be ${type}`, isSo, PATIENCE_MS);
  }

  async #create(namespace: string, prefix: string, into: Tally): Promise<void> {
    const names = Array.from({ length: this.#options.workloads }, (_, index) => `${prefix}-${index}`);
    await Promise.all(names.map((name) => this.#one(namespace, name, into)));
  }

  #one(namespace: string, name: string, into: Tally): Promise<void> {
    const manifest = deployment(namespace, name) as unknown as KubernetesObject;
    return this.#count(into, () => this.#options.client.create(deployments(namespace), manifest));
  }

  async #count(into: Tally, request: () => Promise<unknown>): Promise<void> {
    into.tried += 1;
    try {
      const stored = (await request()) as Live;
      if (stored.spec.template.spec.containers[0]?.command?.[0] === WRAPPER) into.injected += 1;
      else into.bare += 1;
    } catch (error) {
      into.refused += 1;
      this.#refusal = (error as Error).message;
    }
  }

  /** Returns what is wrong a while after the thaw: readiness, leadership, conditions and counts. */
  async #wrongAfterThaw(): Promise<readonly string[]> {
    let wrong: readonly string[] = [];
    await eventually(
      'everything to be right',
      async () => {
        wrong = [...(await this.#wrongReplicas()), ...(await this.#wrongPolicies())];
        return wrong.length === 0 ? true : undefined;
      },
      60_000,
    ).catch(() => undefined);
    return wrong;
  }

  async #wrongReplicas(): Promise<string[]> {
    const { replicas } = this.#options.set;
    const leaders = replicas.filter((replica) => replica.isLeader()).length;
    const states = await Promise.all(
      replicas.map(async ({ name, operator }) => ({ name, ...(await operator.health('/readyz')) })),
    );
    const unready = states.filter(({ status }) => status !== 200).map(({ name, body }) => `${name}: ${body}`);
    return leaders === 1 ? unready : [...unready, `${leaders} replicas lead`];
  }

  async #wrongPolicies(): Promise<string[]> {
    const { client, prefix } = this.#options;
    const { items } = await client.list<Policy>(POLICIES);
    const workloads = await client.list<Live & KubernetesObject>(DEPLOYMENTS);
    return items
      .filter(({ metadata }) => metadata.namespace?.startsWith(prefix))
      .flatMap((one) => {
        const { name, namespace = '' } = one.metadata;
        const fault = faultOf(one, 'Ready');
        if (fault !== undefined) return [`${namespace}/${name}: ${fault}`];
        // of two policies the younger one, which selects everything, injects nothing that the older one does
        const live = workloads.items.filter((each) => (each as KubernetesObject).metadata.namespace === namespace);
        const expected = name === 'narrow' ? 0 : live.length;
        const counted = one.status?.workloads?.injected ?? 0;
        return counted === expected ? [] : [`${namespace}/${name}: counts ${counted} injected of ${expected}`];
      });
  }
}

interface Configuration extends KubernetesObject {
  readonly webhooks: readonly { readonly clientConfig: { readonly url?: string } }[];
}

interface Policy extends KubernetesObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly observedGeneration?: number;
      readonly message?: string;
    }[];
    readonly workloads?: { readonly injected?: number };
  };
}

const FIELD_MANAGER = { fieldManager: 'frozen' };

const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments' };
const deployments = (namespace: string): Resource => ({ ...DEPLOYMENTS, namespace });

/** Returns why a condition is not true about the policy's present generation; undefined if it is. */
function faultOf({ metadata, status }: Policy, type: string): string | undefined {
  const found = status?.conditions?.find((one) => one.type === type);
  if (found === undefined) return `no condition ${type}`;
  if (found.observedGeneration !== metadata.generation) return `${type} is of an earlier generation`;
  return found.status === 'True' ? undefined : `${type}=${found.status}: ${found.message ?? ''}`;
}

const tally = (): Tally => ({ tried: 0, injected: 0, refused: 0, bare: 0 });

/** Returns how many requests a replica has answered 503 since its start. */
export async function postponedBy({ operator }: Replica): Promise<number> {
  const { body } = await operator.health('/metrics');
  const counts = [...body.matchAll(/^vault_injection_requests_refused_total\{[^}]*503[^}]*\} (\d+)/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Returns a table of the results, for people. */
export function frozenTable(results: readonly FrozenResult[]): string {
  const cell = ({ tried, injected, refused, bare }: Tally): string => `${tried} / ${injected} / ${refused} / ${bare}`;
  const seconds = (ms: number | undefined): string => (ms === undefined ? 'not moved' : (ms / 1000).toFixed(1));
  return [
    '| frozen | replica | new namespaces: tried / injected / refused / bare | earlier namespaces | widened policy | answered 503 | not ready after s | other leads after s | wrong after the thaw |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...results.map(
      (one) =>
        `| ${one.what} | ${one.leader ? 'leader' : 'other'} | ${cell(one.created)} | ${cell(one.before)} | ${cell(one.widened)} | ${one.postponed} | ${seconds(one.notReadyAfterMs)} | ${seconds(one.leaderMovedAfterMs)} | ${one.wrongAfterThaw.join('; ') || 'nothing'} |`,
    ),
  ].join('\n');
}
