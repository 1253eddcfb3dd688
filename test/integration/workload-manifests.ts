/** Manifests of every kind that runs pods, as plain objects. */
import { container } from './manifests.ts';
import type { Container } from './manifests.ts';

export interface AnyWorkload {
  readonly apiVersion: string;
  readonly kind: WorkloadKind;
  readonly metadata: Metadata;
  readonly spec: unknown;
}

type Metadata = Readonly<Record<string, unknown>>;

export interface WorkloadChanges {
  readonly name?: string;
  readonly namespace?: string;
  readonly metadata?: Metadata;
  /** Metadata of the pod template; of a Pod, of itself. */
  readonly template?: Metadata;
  readonly initContainers?: readonly Container[];
  readonly containers?: readonly Container[];
}

interface Parts {
  readonly labels: unknown;
  readonly selector: unknown;
  readonly template: unknown;
}

/** By kind: its API version, and what its spec is made of. */
const SPECS = {
  Deployment: ['apps/v1', ({ selector, template }: Parts) => ({ replicas: 0, selector, template })],
  StatefulSet: ['apps/v1', ({ selector, template }: Parts) => ({ serviceName: 'app', selector, template })],
  DaemonSet: ['apps/v1', ({ selector, template }: Parts) => ({ selector, template })],
  ReplicaSet: ['apps/v1', ({ selector, template }: Parts) => ({ selector, template })],
  Job: ['batch/v1', ({ template }: Parts) => ({ template })],
  CronJob: ['batch/v1', ({ template }: Parts) => ({ schedule: '@daily', jobTemplate: { spec: { template } } })],
  ReplicationController: ['v1', ({ labels, template }: Parts) => ({ selector: labels, template })],
  Pod: ['v1', () => undefined],
} as const;

export type WorkloadKind = keyof typeof SPECS;

export const WORKLOADS = Object.keys(SPECS) as readonly WorkloadKind[];

/** Returns a workload of that kind, with one reference unless the changes say otherwise. */
export function workload(kind: WorkloadKind, changes: WorkloadChanges = {}): AnyWorkload {
  const { name = 'app', namespace = 'plain', initContainers = [], containers = [container()] } = changes;
  const labels = { app: name };
  const isRunOnce = kind === 'Job' || kind === 'CronJob';
  const podSpec = { initContainers, containers, ...(isRunOnce ? { restartPolicy: 'Never' } : {}) };
  const template = { metadata: { labels, ...changes.template }, spec: podSpec };
  const [apiVersion, specOf] = SPECS[kind];
  const own = kind === 'Pod' ? changes.template : {};
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels, ...own, ...changes.metadata },
    spec: specOf({ labels, selector: { matchLabels: labels }, template }) ?? podSpec,
  };
}
