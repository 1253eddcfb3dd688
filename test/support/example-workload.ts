import { readFileSync } from 'node:fs';

/**
 * Shapes of what the tests look into, as an injected workload has them. A field that a test's own workload leaves out is
 * undefined all the same: reading through it fails the test, which is what it should do.
 */
type Open = Record<string, unknown>;
export interface Variable extends Open {
  name: string;
  value?: string;
}
export interface VolumeMount extends Open {
  name: string;
  mountPath: string;
}
export interface Exec extends Open {
  exec?: { command: string[] };
}
export interface Container extends Open {
  name: string;
  image: string;
  command: string[];
  args: string[];
  env: Variable[];
  volumeMounts: VolumeMount[];
  livenessProbe?: Exec;
  startupProbe?: Exec;
  lifecycle?: Record<string, Exec>;
  securityContext: Open;
}
export interface PodSpec extends Open {
  containers: Container[];
  initContainers?: Container[];
  volumes: ({ name: string } & Open)[];
}
export interface Template extends Open {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> } & Open;
  spec: PodSpec;
}
export interface Workload extends Open {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> } & Open;
  spec: { template: Template } & Open;
}
export interface RecordJson {
  v: number;
  volumes: string[];
  ownLabel?: boolean;
  containers: RecordEntry[];
}
export interface RecordEntry {
  name: string;
  command: unknown;
  args: unknown;
  mountPath?: string;
  generated?: string;
  config: string;
}

/** A Deployment with this pod spec, and annotations of its template and of its own. */
export function deployment(podSpec: object, annotations?: object, own?: object): Workload {
  const template = {
    metadata: { creationTimestamp: null, labels: { app: 'web' }, ...(annotations ? { annotations } : {}) },
    spec: podSpec,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' }, ...(own ? { annotations: own } : {}) },
    spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template },
  } as Workload;
}

/** A container with one reference, unless it says otherwise; a field given as undefined is not there. */
export function container(fields: object = {}): Container {
  const given: Record<string, unknown> = {
    name: 'app',
    image: 'registry.example.com/app:1',
    command: ['/app'],
    args: ['--port=80'],
    env: [{ name: 'DB_PASSWORD', value: 'vault:secret/data/shop/db#password' }],
    ...fields,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Container;
}

export function templateOf(object: Workload): Template {
  return object.spec.template;
}

/** The container or init container of that name; an empty one if there is none. */
export function containerOf(object: Workload, name: string): Container {
  const { containers, initContainers = [] } = object.spec.template.spec;
  return [...initContainers, ...containers].find((item) => item.name === name) ?? ({} as Container);
}

export function namesOf(list: readonly { readonly name: string }[] | undefined): readonly string[] {
  return (list ?? []).map(({ name }) => name);
}

export function recordOf(object: Workload): RecordJson {
  return JSON.parse(templateOf(object).metadata.annotations['vaultinjection.dev/original'] ?? '') as RecordJson;
}

/** The workload under review in one of the benchmark's bodies. */
export function benchWorkload(file: 'deployment.json' | 'deployment-noref.json'): Workload {
  const url = new URL(`../bench/bodies/${file}`, import.meta.url);
  const review = JSON.parse(readFileSync(url, 'utf8')) as { request: { object: Workload } };
  return review.request.object;
}
