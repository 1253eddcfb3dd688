/** What may go wrong in a rolling update, for containers of many shapes, and how many pods are available meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';

import { Cluster } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { eventually } from '../support/operator.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { writeSecret } from '../support/vault.ts';
import { workload } from './pods.ts';

export const NAMESPACE = 'shop';
export const REPLICAS = 2;
// vault-env gives up after this, so a pod that lacks its secrets has failed at least once in the time that is watched.
const TIMEOUT = '3s';
const WATCHED_MS = 12_000;
// The kubelet waits up to 80 s before it starts a container again that has failed five times.
const AVAILABLE_MS = 180_000;
const PATH = 'secret/data/shop/held';
export const GOOD = `vault:${PATH}#password`;
export const TYPO = `vault:${PATH}#passwrd`;
const IN_FORCE = { password: 'not-looked-at' };

/** Its file is there once it runs. */
const PROGRAM = {
  image: 'localhost/busybox:1',
  command: ['sh', '-c', 'trap "exit 0" TERM; touch /tmp/works; while true; do sleep 0.2; done'],
};
const WORKS = { exec: { command: ['cat', '/tmp/works'] }, periodSeconds: 1 };

/** held: as by default. bare: with `inject.startupProbe: false`, as it was before there was such a probe. */
export type Mode = 'held' | 'bare';

type Json = Record<string, unknown>;

export interface PodSpec {
  containers: Json[];
  initContainers?: Json[];
  shareProcessNamespace?: boolean;
  volumes?: Json[];
}

export interface Deployment {
  metadata: { name: string; namespace: string; generation?: number; labels: Record<string, string> };
  spec: { replicas: number; progressDeadlineSeconds?: number; template: { spec: PodSpec } };
  status?: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number };
}

interface Shape {
  readonly process?: 'Daemon';
  readonly change?: (spec: PodSpec) => void;
}

const changeApp =
  (changes: Json) =>
  ({ containers: [app = {}] }: PodSpec): void => {
    Object.assign(app, changes);
  };

export const SHAPES: Readonly<Record<string, Shape>> = {
  'without probes': {},
  'without probes, in daemon mode': { process: 'Daemon' },
  'without probes, in one process namespace for the pod': {
    change: (spec) => {
      spec.shareProcessNamespace = true;
      spec.containers.push({ ...spec.containers[0], name: 'neighbour', env: [] });
    },
  },
  'without probes, as a native sidecar': {
    change: (spec) => {
      const [app = {}] = spec.containers;
      spec.initContainers = [{ ...app, name: 'sidecar', restartPolicy: 'Always' }];
      spec.containers = [{ ...app, env: [] }];
    },
  },
  'with a liveness probe': { change: changeApp({ livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } }) },
  'with a readiness probe': { change: changeApp({ readinessProbe: WORKS }) },
  'with a startup probe': { change: changeApp({ startupProbe: { ...WORKS, failureThreshold: 60 } }) },
};

export interface Outcome {
  /** Pods that were available at the least. */
  readonly least: number;
  /** What kubectl prints about the policy, a pod that fails, and the rollout. */
  readonly told: readonly string[];
}

export class HoldScene {
  readonly stage: Stage;
  readonly cluster: Cluster;
  readonly watchedMs: number;

  private constructor(stage: Stage, watchedMs: number) {
    this.stage = stage;
    this.watchedMs = watchedMs;
    this.cluster = new Cluster(stage.plane);
  }

  /** Cluster, Vault, node and operator, and policies in both modes. */
  static async start(watchedMs = WATCHED_MS): Promise<HoldScene> {
    const stage = await startStage({ withNode: true, rotation: true }, { username: 'shop', ...IN_FORCE });
    const scene = new HoldScene(stage, watchedMs);
    await writeSecret(stage.vault, PATH, IN_FORCE);
    await scene.cluster.namespace(NAMESPACE);
    await scene.cluster.kubectl('create', 'serviceaccount', 'shop', '-n', NAMESPACE);
    return scene;
  }

  /** A policy that selects Deployments with the label `policy: NAME`. */
  policy(name: string, mode: Mode, spec: Json = {}, role = 'shop'): Json {
    const { tlsAddress: address, caPem: caBundle } = this.stage.vault;
    return policy(NAMESPACE, name, {
      vault: { address, tls: { caBundle }, auth: { role }, timeout: TIMEOUT },
      selector: { matchLabels: { policy: name } },
      injector: { delivery: 'ImageVolume', imagePullPolicy: 'Never' },
      inject: { startupProbe: mode === 'held' },
      ...spec,
    });
  }

  deployment(name: string, by: string, reference = GOOD, { change }: Shape = {}): Deployment {
    const made = workload(NAMESPACE, name, by, PROGRAM, { PASSWORD: reference }) as unknown as Deployment;
    const { spec } = made.spec.template;
    made.spec.replicas = REPLICAS;
    made.spec.progressDeadlineSeconds = 15;
    spec.volumes = [{ name: 'tmp', emptyDir: {} }];
    changeApp({ volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] })(spec);
    change?.(spec);
    return made;
  }

  async apply(deployments: readonly Deployment[]): Promise<void> {
    await this.cluster.apply({ apiVersion: 'v1', kind: 'List', items: deployments });
  }

  /** Waits until all pods are new and available; `rollout status` gives up where a rollout took too long before. */
  async areAvailable(names: readonly string[]): Promise<void> {
    const isDone = ({ metadata, spec, status = {} }: Deployment): boolean =>
      status.observedGeneration === metadata.generation &&
      [status.replicas, status.updatedReplicas, status.availableReplicas].every((count) => count === spec.replicas);
    const all = async (): Promise<true | undefined> =>
      (await this.#deployments()).filter(({ metadata }) => names.includes(metadata.name)).every(isDone) || undefined;
    await eventually(`${names.join(', ')} to be available`, all, AVAILABLE_MS);
  }

  async #deployments(): Promise<readonly Deployment[]> {
    const list = await this.cluster.kubectl('get', 'deployments', '-n', NAMESPACE, '-o', 'json');
    return (JSON.parse(list) as { items: Deployment[] }).items;
  }

  async remove(names: readonly string[]): Promise<void> {
    await this.cluster.kubectl('delete', 'deployment', ...names, '-n', NAMESPACE);
  }

  /** Pods that are available, by Deployment. */
  async available(): Promise<Map<string, number>> {
    const all = await this.#deployments();
    return new Map(all.map(({ metadata, status }) => [metadata.name, status?.availableReplicas ?? 0]));
  }

  /**
   * Does something, and returns the least that is available in the time after it, until `isOver` if that comes later.
   * Rejects if it is not over after AVAILABLE_MS.
   */
  async leastAvailable(
    act: () => Promise<unknown>,
    isOver: () => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<Map<string, number>> {
    const least = await this.available();
    await act();
    const began = Date.now();
    while (Date.now() < began + this.watchedMs || !(await isOver())) {
      if (Date.now() > began + AVAILABLE_MS) throw new Error(`it is not over after ${AVAILABLE_MS / 1000} s`);
      for (const [name, count] of await this.available()) least.set(name, Math.min(count, least.get(name) ?? count));
      await sleep(200);
    }
    return least;
  }

  /** What a person sees who asks kubectl about a policy, a Deployment and its pods. */
  async told(by: string, name: string): Promise<string[]> {
    const { cluster, stage } = this;
    const vip = (await cluster.kubectl('get', 'vip', by, '-n', NAMESPACE)).trimEnd().split('\n');
    const pods = await cluster.kubectl('describe', 'pods', '-n', NAMESPACE, '-l', `app=${name}`);
    const failed = /^ +Message: +.*/m.exec(pods)?.[0];
    const probes = /^ +Warning +Unhealthy .*/m.exec(pods)?.[0];
    const { stdout, stderr } = await stage.plane.kubectl([
      'rollout',
      'status',
      'deployment',
      name,
      '-n',
      NAMESPACE,
      '--timeout=1s',
    ]);
    const rollout = `${stdout}${stderr}`.trim().split('\n');
    return [...vip, ...[failed, probes].filter((line) => line !== undefined), ...rollout].map((line) => line.trim());
  }

  async reasonOf(by: string): Promise<string> {
    return this.cluster.kubectl('get', 'vip', by, '-n', NAMESPACE, '-o', 'jsonpath={.status.reason}');
  }

  /** Plays one thing that goes wrong for Deployments of all shapes at once, and then what puts it right. */
  async play(cause: Cause, mode: Mode): Promise<Map<string, Outcome>> {
    const shapes = Object.entries(SHAPES).map(([what, shape], index) => {
      const name = `${cause.name}-${mode}-${index}`;
      return { what, shape, name, made: this.deployment(name, name, GOOD, shape) };
    });
    const names = shapes.map(({ name }) => name);
    for (const { name, shape } of shapes) {
      const process = shape.process && { process: { mode: shape.process } };
      await this.cluster.policy(this.policy(name, mode, { ...process, ...cause.spec }));
    }
    const good = shapes.map(({ made }) => made);
    // the kubelet waits longer and longer before it starts a container again
    if (cause.isLong) for (const made of good) made.spec.progressDeadlineSeconds = 600;
    await this.apply(good);
    await this.areAvailable(names);
    await cause.prepare?.(this, names);
    const outcomes = new Map<string, Outcome>();
    try {
      const { begin, isOver } = cause;
      const least = await this.leastAvailable(() => begin(this, good), isOver && (() => isOver(this, names)));
      for (const { what, name } of shapes) {
        outcomes.set(what, { least: least.get(name) ?? 0, told: await this.told(name, name) });
      }
    } finally {
      await cause.end(this, good);
    }
    await this.areAvailable(names);
    await this.remove(names);
    await this.cluster.kubectl('delete', 'vip', ...names, '-n', NAMESPACE);
    return outcomes;
  }

  /** Plays what goes wrong under a policy that has the operator roll six Deployments, one after the other. */
  async playSix({ name: by, spec, begin, end }: SixCause, mode: Mode): Promise<SixOutcome> {
    const names = Array.from({ length: 6 }, (_, index) => `${by}-${mode}-${index}`);
    const name = `${by}-${mode}`;
    const inForce = this.policy(name, mode, spec);
    await this.cluster.policy(inForce);
    await this.apply(names.map((one) => this.deployment(one, name)));
    await this.areAvailable(names);
    const templates = (): Promise<string[]> =>
      Promise.all(names.map((one) => this.cluster.templateBytes(NAMESPACE, one)));
    if ('rotation' in spec) await isWatching(this, names);
    const before = await templates();
    const least = await this.leastAvailable(
      () => begin(this, this.policy(name, mode, spec, 'nobodys')),
      async () => (await this.reasonOf(name)) === 'RolloutFailed',
    );
    const begun = (await templates()).filter((template, index) => template !== before[index]).length;
    const told = await this.told(name, names[0] ?? '');
    await end(this, inForce);
    await this.areAvailable(names);
    await this.remove(names);
    await this.cluster.kubectl('delete', 'vip', name, '-n', NAMESPACE);
    return { least: names.map((one) => least.get(one) ?? 0), begun, told };
  }

  async write(data: Record<string, string>): Promise<void> {
    await writeSecret(this.stage.vault, PATH, data);
  }
}

export interface SixCause {
  readonly name: string;
  readonly what: string;
  /** Of the policy. */
  readonly spec: Json;
  /** `wrongRole` and `inForce` are the policy. */
  readonly begin: (scene: HoldScene, wrongRole: Json) => Promise<unknown>;
  readonly end: (scene: HoldScene, inForce: Json) => Promise<unknown>;
}

export interface SixOutcome {
  /** Pods that were available at the least, by Deployment. */
  readonly least: readonly number[];
  /** Deployments that got new pods. */
  readonly begun: number;
  readonly told: readonly string[];
}

export interface Cause {
  readonly name: string;
  readonly what: string;
  /** More of the policy. */
  readonly spec?: Json;
  readonly isLong?: boolean;
  readonly prepare?: (scene: HoldScene, names: readonly string[]) => Promise<unknown>;
  readonly begin: (scene: HoldScene, made: readonly Deployment[]) => Promise<unknown>;
  readonly isOver?: (scene: HoldScene, names: readonly string[]) => Promise<boolean>;
  readonly end: (scene: HoldScene, made: readonly Deployment[]) => Promise<unknown>;
}

const VERSIONS = 'vaultinjection.dev/versions';

export const CAUSES: readonly Cause[] = [
  {
    name: 'typo',
    what: 'a wrong key in the manifest',
    begin: (scene, made) =>
      scene.apply(JSON.parse(JSON.stringify(made).replaceAll(GOOD, TYPO)) as readonly Deployment[]),
    end: (scene, made) => scene.apply(made),
  },
  {
    name: 'sealed',
    what: 'a restart while Vault is sealed',
    isLong: true,
    begin: async ({ stage, cluster }, made) => {
      await stage.vault.seal();
      const names = made.map(({ metadata }) => metadata.name);
      await cluster.kubectl('rollout', 'restart', 'deployment', ...names, '-n', NAMESPACE);
    },
    end: ({ stage }) => stage.vault.unseal(),
  },
  {
    name: 'rotated',
    what: 'a rotation to a version without the key',
    spec: { rotation: { strategy: 'Restart', interval: '5s' } },
    prepare: (scene, names) => isWatching(scene, names),
    begin: (scene) => scene.write({ other: 'value' }),
    isOver: async (scene, names) =>
      (await Promise.all(names.map((name) => scene.reasonOf(name)))).every((reason) => reason === 'RolloutFailed'),
    end: (scene) => scene.write(IN_FORCE),
  },
];

export const SIX_CAUSES: readonly SixCause[] = [
  {
    name: 'role',
    what: 'the role is wrong',
    spec: { rollout: { strategy: 'Automatic', maxConcurrent: 1 } },
    begin: ({ cluster }, wrongRole) => cluster.apply(wrongRole),
    end: ({ cluster }, inForce) => cluster.apply(inForce),
  },
  {
    name: 'version',
    what: 'a new version lacks the key',
    spec: { rotation: { strategy: 'Restart', interval: '5s' }, rollout: { maxConcurrent: 1 } },
    begin: (scene) => scene.write({ other: 'value' }),
    end: (scene) => scene.write(IN_FORCE),
  },
];

/** Waits until the operator has noted for each Deployment the versions that it runs with. */
async function isWatching({ cluster }: HoldScene, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const isNoted = async (): Promise<true | undefined> => {
      const { annotations = {} } = (await cluster.get(NAMESPACE, name)).metadata;
      return VERSIONS in annotations ? true : undefined;
    };
    // not before its pods have been available for a while
    await eventually(`the versions of ${name} to be noted`, isNoted, 60_000);
  }
}
