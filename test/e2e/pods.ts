/** Workloads of the end-to-end tests, their pods and what these say. */
import { Cluster } from '../integration/cluster.ts';
import { eventually } from '../support/operator.ts';
import type { Node } from '../support/node.ts';
import { startStage, type ShopSecret, type Stage } from '../support/stage.ts';

export interface Program {
  readonly image: string;
  readonly command: readonly string[];
}

export interface Pod {
  metadata: { name: string };
  status: {
    containerStatuses?: {
      restartCount: number;
      state?: { waiting?: { reason: string } };
      lastState?: { terminated?: { exitCode: number } };
    }[];
  };
}

/**
 * A Deployment of one pod that Pod Security "restricted" would take but for hostNetwork, which this node needs. It runs as
 * the ServiceAccount shop, and a policy selects it by the label `policy`.
 */
export function workload(
  namespace: string,
  name: string,
  policy: string,
  { image, command }: Program,
  env: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const labels = { app: name, policy };
  const container = {
    name: 'app',
    image,
    imagePullPolicy: 'Never',
    command,
    env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
  };
  const spec = {
    hostNetwork: true,
    dnsPolicy: 'Default',
    serviceAccountName: 'shop',
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 10,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: { metadata: { labels }, spec } },
  };
}

/** The pods of one namespace. */
export class Pods {
  readonly #cluster: Cluster;
  readonly #node: Node | undefined;
  readonly #namespace: string;

  constructor(cluster: Cluster, node: Node | undefined, namespace: string) {
    this.#cluster = cluster;
    this.#node = node;
    this.#namespace = namespace;
  }

  /** The first pod of a Deployment of ours. */
  async of(app: string): Promise<Pod | undefined> {
    const args = ['get', 'pods', '-n', this.#namespace, '-l', `app=${app}`, '-o', 'json'];
    return (JSON.parse(await this.#cluster.kubectl(...args)) as { items: Pod[] }).items[0];
  }

  log(pod: string, container = 'app'): string {
    return this.#node?.podLog(this.#namespace, pod, container) ?? '';
  }

  /** The name of the pod of `app` once its log holds all `texts`: a program writes its lines one after the other. */
  thatSays(app: string, ...texts: readonly string[]): Promise<string> {
    return eventually(
      `a pod of ${app} to say ${texts.join(' and ')}`,
      async () => {
        const name = (await this.of(app))?.metadata.name;
        if (name === undefined) return undefined;
        const log = this.log(name);
        return texts.every((text) => log.includes(text)) ? name : undefined;
      },
      60_000,
    );
  }

  /** Ends once the log of a pod that is being removed matches `text`. The kubelet takes the log away with the pod. */
  async lastSays(pod: string, text: RegExp): Promise<void> {
    let last = '';
    const read = (): true | undefined => {
      last = this.log(pod) || last;
      return text.test(last) || undefined;
    };
    await eventually(`${pod} to say ${text}`, read, 30_000, () => last);
  }

  /** The exit status with which the program of `app` ended before it was started again. */
  exitStatus(app: string): Promise<number> {
    return eventually(
      `the program of ${app} to have ended`,
      async () => (await this.of(app))?.status.containerStatuses?.[0]?.lastState?.terminated?.exitCode,
      60_000,
    );
  }

  async scale(app: string, replicas: number): Promise<void> {
    await this.#cluster.kubectl('scale', 'deployment', app, '-n', this.#namespace, `--replicas=${replicas}`);
  }
}

/** What tests of programs on a real kubelet start with. */
export interface Shop {
  readonly stage: Stage;
  readonly cluster: Cluster;
  readonly pods: Pods;
}

/** Starts everything, with this secret in Vault, and makes the namespace with its ServiceAccount shop. */
export async function openShop(secret: ShopSecret, namespace: string): Promise<Shop> {
  const stage = await startStage({ withNode: true }, secret);
  try {
    const cluster = new Cluster(stage.plane);
    await cluster.namespace(namespace);
    await cluster.kubectl('create', 'serviceaccount', 'shop', '-n', namespace);
    return { stage, cluster, pods: new Pods(cluster, stage.node, namespace) };
  } catch (error) {
    await stage.stop();
    throw error;
  }
}
