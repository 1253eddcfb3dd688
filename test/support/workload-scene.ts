import { Registry as Register } from 'prom-client';

import type { Occurrence } from '../../kube/event-recorder.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import type { Peer } from '../../kube/identity-lease.ts';
import { RuleCache } from '../../operator/policies/rule-cache.ts';
import type { Rule } from '../../core/policy/rule.ts';
import type { State } from '../../core/workload/standing.ts';
import { Replicas } from '../../operator/replicas/replicas.ts';
import { encodeState } from '../../operator/replicas/state.ts';
import type { ReplicaState } from '../../operator/replicas/state.ts';
import { WorkloadController } from '../../operator/workloads/workload-controller.ts';
import type { WorkloadControllerOptions } from '../../operator/workloads/workload-controller.ts';
import type { EntryPoint, KnownImages } from '../../core/injection/images.ts';
import { mutateWorkload } from '../../core/injection/mutate.ts';
import { applyPatch } from './apply-patch.ts';
import { ruleWith } from './example-rule.ts';
import { container, deployment } from './example-workload.ts';
import { ManualClock } from './manual-clock.ts';
import { testLog } from './test-log.ts';
import { MemoryApi } from './memory-api.ts';

const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments' };
const REFERRING = { env: [{ name: 'PASSWORD', value: 'vault:secret/data/shop/db#password' }] };

/** Who knows one image, as long as its register is there. */
class Images {
  isAway = false;
  entryPoint: EntryPoint = { entrypoint: ['/entry'], cmd: [] };

  get now(): KnownImages {
    const answer = this.isAway ? { why: 'the register is away' } : this.entryPoint;
    return () => answer;
  }

  known(): KnownImages | undefined {
    return undefined;
  }

  find(): Promise<KnownImages> {
    return Promise.resolve(this.now);
  }
}

/** The controller of Deployments has replaced all pods. */
export function podsAreThere(object: Record<string, unknown>): void {
  const { replicas = 1 } = object.spec as { replicas?: number };
  object.status = { observedGeneration: 1, replicas, updatedReplicas: replicas, availableReplicas: replicas };
}

const HALF_WAY = { observedGeneration: 1, replicas: 3, updatedReplicas: 1, availableReplicas: 2 };

/** All pods have failed, or none has come up yet. */
export function noPodWorks(object: Record<string, unknown>): void {
  object.status = { observedGeneration: 1, replicas: 1, updatedReplicas: 1 };
}

/** An API server in memory whose admissions are made by the webhook's own function, and the operator's part beside it. */
export class Scene {
  readonly api = new MemoryApi();
  readonly clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
  readonly rules = new RuleCache();
  readonly images = new Images();
  readonly log = testLog();
  readonly events: Occurrence[] = [];
  readonly summaries: string[] = [];
  register = new Register();
  /** What API servers do with workloads: send them to the webhook, or store them as they are. */
  webhookAnswers = true;
  programmed = true;
  isLeader = true;
  patches = 0;
  /** The others tell nothing, unless a test says so. */
  readonly peers: Peer[] = [];
  #peersChanged: () => void = () => undefined;
  readonly replicas: Replicas;
  /** false: new pods have yet to come after an admission has changed a template, until somebody says that they are there. */
  podsFollowAtOnce = true;
  /** `namespace/name` of those whose template admission has changed since, the first one first. */
  readonly rolling: string[] = [];
  #leaderChanged: (leading: boolean) => void = () => undefined;
  workloads: WorkloadController;
  readonly #options: Partial<WorkloadControllerOptions>;

  constructor(options: Partial<WorkloadControllerOptions> = {}) {
    this.#options = options;
    const nothing = (): Promise<void> => Promise.resolve();
    this.replicas = new Replicas({
      identity: 'this',
      policies: () => '',
      clock: this.clock,
      leases: {
        start: nothing,
        stop: nothing,
        sweep: nothing,
        synced: true,
        publish: () => undefined,
        others: () => this.peers,
        onChange: (listener) => {
          this.#peersChanged = listener;
          return () => undefined;
        },
      },
    });
    this.workloads = this.#operator();
  }

  /** The operator ends, and another one that knows nothing begins. */
  async restart(): Promise<void> {
    await this.workloads.stop();
    this.register = new Register();
    this.workloads = this.#operator();
    this.workloads.start();
  }

  #operator(): WorkloadController {
    const { api, clock, rules, images, register } = this;
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- read when it is asked for
    const scene = this;
    const workloads = new WorkloadController({
      client: {
        get: (resource, name) => api.get(resource, name),
        list: (resource, list) => api.list(resource, list),
        watch: (resource, watch) => api.watch(resource, watch),
        apply: (resource, object, apply) => api.apply(resource, object, apply),
        patch: (resource, name, changes, by) => this.#patch(resource, name, changes, by) as Promise<never>,
      },
      rules,
      webhook: { programmed: () => scene.programmed, excludes: (namespace) => namespace === 'kube-system' },
      leader: {
        get isLeader() {
          return scene.isLeader;
        },
        onChange: (listener) => (this.#leaderChanged = listener),
      },
      replicas: this.replicas,
      events: { record: (event) => this.events.push(event) },
      images,
      clock,
      maxRollouts: 10,
      random: () => 1,
      logger: this.log.logger,
      register,
      ...this.#options,
    });
    workloads.onSummary((policyKey) => this.summaries.push(policyKey));
    return workloads;
  }

  lead(isLeader: boolean): void {
    this.isLeader = isLeader;
    this.#leaderChanged(isLeader);
  }

  /** Another replica tells something. */
  tells(state: Omit<ReplicaState, 'identity'>): void {
    this.peers.splice(0, this.peers.length, { identity: 'other', document: encodeState(state) });
    this.#peersChanged();
  }

  rule(changes: Parameters<typeof ruleWith>[0] = {}): Rule {
    const rule = ruleWith({ failurePolicy: 'Ignore', ...changes });
    this.rules.set(rule);
    return rule;
  }

  /** Somebody creates a Deployment with a reference. */
  async create(
    name: string,
    changes: { namespace?: string; container?: object; labels?: object; createdAt?: string } = {},
  ): Promise<void> {
    const { namespace = 'shop', labels = {}, createdAt } = changes;
    const created = createdAt === undefined ? {} : { creationTimestamp: createdAt };
    const written = deployment({ containers: [container({ ...REFERRING, ...changes.container })] });
    const object = {
      ...(written as object),
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, labels, generation: 1, ...created },
    } as unknown as KubernetesObject;
    const admitted = this.#admitted(object);
    await this.api.create({ ...DEPLOYMENTS, namespace }, admitted);
  }

  /** Somebody changes it behind the webhook's back. */
  edit(name: string, manager: string, change: (object: Record<string, unknown>) => void, namespace = 'shop'): void {
    this.api.edit({ ...DEPLOYMENTS, namespace }, name, manager, change);
  }

  async get(name: string): Promise<KubernetesObject> {
    const found = await this.api.get({ ...DEPLOYMENTS, namespace: 'shop' }, name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  delete(name: string): Promise<void> {
    return this.api.delete({ ...DEPLOYMENTS, namespace: 'shop' }, name);
  }

  /** How many are in each state, as the metric says. */
  async states(): Promise<Partial<Record<State, number>>> {
    const metric = await this.register.getSingleMetric('vault_injection_workloads')?.get();
    const values = (metric?.values ?? []).filter(({ value }) => value > 0);
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels.state), value]));
  }

  async #patch(resource: Resource, name: string, changes: object, by: { fieldManager: string }): Promise<unknown> {
    this.patches += 1;
    const stored = await this.api.patch<KubernetesObject>(resource, name, changes as Record<string, unknown>, by);
    const admitted: KubernetesObject = this.#admitted(stored);
    if (!this.podsFollowAtOnce && admitted !== stored) {
      this.rolling.push(`${resource.namespace ?? ''}/${name}`);
      Object.assign(admitted, { status: { ...HALF_WAY } });
    }
    // MemoryApi has no admission: what it stored in between, nobody could have seen
    return this.api.replace<KubernetesObject>(resource, admitted);
  }

  #admitted(object: KubernetesObject): KubernetesObject {
    if (!this.webhookAnswers) return object;
    const { name, namespace = '' } = object.metadata;
    const rules = this.rules.snapshot();
    const images = this.images.now;
    const { patch } = mutateWorkload({ kind: 'Deployment', namespace, name, object, rules, images });
    return applyPatch(object, patch) as KubernetesObject;
  }
}
