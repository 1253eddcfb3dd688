/** What the integration tests say to a cluster, in the words of kubectl. */
import { eventually } from '../support/operator.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import type { Container } from './manifests.ts';

export interface LiveContainer extends Container {
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}

export interface LiveVolume {
  name: string;
  projected?: { sources: { serviceAccountToken?: { audience?: string } }[] };
}

export interface LiveTemplate {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { containers: LiveContainer[]; initContainers?: LiveContainer[]; volumes?: LiveVolume[] };
}

export interface Live {
  metadata: { generation: number; resourceVersion: string; annotations?: Record<string, string> };
  spec: { replicas: number; template: LiveTemplate };
}

export const RECORD = 'vaultinjection.dev/original';
export const WRAPPER = '/vault-env/vault-env';

type Kubectl = Pick<ControlPlane, 'kubectl' | 'kubectlOk'>;

export class Cluster {
  readonly #plane: Kubectl;

  constructor(plane: Kubectl) {
    this.#plane = plane;
  }

  kubectl(...args: string[]): Promise<string> {
    return this.#plane.kubectlOk(args);
  }

  /** `kubectl apply -f -`; resolves with the output of both streams, including the API server's warnings. */
  async apply(manifest: unknown, ...flags: string[]): Promise<string> {
    const { stdout, stderr, code } = await this.#plane.kubectl(
      ['apply', ...flags, '-f', '-'],
      JSON.stringify(manifest),
    );
    if (code !== 0) throw new Error(stderr);
    return `${stdout}${stderr}`;
  }

  /** The template that a fresh workload of this manifest gets: a dry run of its creation under another name. */
  async fresh(manifest: { metadata: { name: string } }): Promise<LiveTemplate> {
    const other = { ...manifest, metadata: { ...manifest.metadata, name: `${manifest.metadata.name}-fresh` } };
    const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
    return (JSON.parse(await this.#plane.kubectlOk(args, JSON.stringify(other))) as Live).spec.template;
  }

  async get(namespace: string, name: string, kind = 'deployment'): Promise<Live> {
    return JSON.parse(await this.kubectl('get', kind, name, '-n', namespace, '-o', 'json')) as Live;
  }

  /** The template as the API server prints it: the very bytes. */
  async templateBytes(namespace: string, name: string): Promise<string> {
    const object = JSON.parse(
      await this.kubectl('get', '--raw', `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`),
    ) as Live;
    return JSON.stringify(object.spec.template);
  }

  async namespace(name: string): Promise<void> {
    await this.kubectl('create', 'namespace', name);
  }

  /** Applies a policy and waits until it is Ready in the generation just applied. */
  async policy(manifest: { metadata?: unknown }): Promise<void> {
    await this.apply(manifest);
    const { name, namespace } = manifest.metadata as { name: string; namespace: string };
    await this.policyIs(namespace, name, 'Ready', 'True');
  }

  /** Waits until a condition of a policy has this status, about its present generation. */
  async policyIs(namespace: string, name: string, type: string, status: string): Promise<void> {
    await eventually(`policy ${namespace}/${name} to be ${type}=${status}`, async () => {
      const found = JSON.parse(await this.kubectl('get', 'vip', name, '-n', namespace, '-o', 'json')) as PolicyStatus;
      const condition = found.status?.conditions?.find((one) => one.type === type);
      const current = condition?.observedGeneration === found.metadata.generation;
      return current && condition.status === status ? true : undefined;
    });
  }
}

interface PolicyStatus {
  metadata: { generation: number };
  status?: { conditions?: { type: string; status: string; observedGeneration?: number }[] };
}
