/** What is in a cluster before the demo changes anything. */
import { CRD, namespacesOfDemo, OPERATOR, SYSTEM } from './remove.ts';
import { LABEL, type TrialCluster } from './trial-cluster.ts';

export interface Seen {
  /** Of the API server, such as v1.34.0. */
  readonly version: string;
  /** Of the nodes. */
  readonly architectures: readonly string[];
  /** Namespaces that an earlier demo has made. */
  readonly ofDemo: readonly string[];
  /** Objects that are not the demo's and have the names of those that it makes. */
  readonly taken: readonly string[];
  /** The operator is there, and the demo has not installed it. */
  readonly hasOperator: boolean;
  /** The CRD is there, and the demo has not made it. */
  readonly hasCrd: boolean;
}

export async function lookAt(cluster: TrialCluster): Promise<Seen> {
  const version = await cluster.kubectl('version', '-o', 'json', '--request-timeout=15s');
  const architectures = await cluster.kubectl(...NODES);
  const ofDemo = await namespacesOfDemo(cluster);
  // "!": objects without the label
  const others = (kind: string, ...args: string[]): Promise<string[]> =>
    cluster.kubectl('get', kind, '-l', `!${LABEL}`, '-o', 'name', ...args).then(linesOf);
  const namespaces = await others('namespaces');
  const bindings = await others('clusterrolebindings');
  const operators = await others('deployments', '--all-namespaces');
  const webhooks = await others('mutatingwebhookconfigurations');
  const crds = await others('customresourcedefinitions');
  const named = (kind: string, name: string): boolean => !ofDemo.includes(SYSTEM) && kind.endsWith(`/${name}`);
  return {
    version: (JSON.parse(version) as { serverVersion: { gitVersion: string } }).serverVersion.gitVersion,
    architectures: architectures.split(' ').filter(Boolean),
    ofDemo,
    taken: [
      ...namespaces.filter((name) => NAMESPACES.some((one) => name === `namespace/${one}`)),
      ...bindings.filter((name) => name.endsWith('/vault-token-reviewer')),
    ],
    // the operator writes its webhook configuration itself, without the label
    hasOperator: [...operators, ...webhooks].some((name) => named(name, OPERATOR)),
    hasCrd: crds.some((name) => name.endsWith(`/${CRD}`)),
  };
}

const NODES = ['get', 'nodes', '-o', 'jsonpath={.items[*].status.nodeInfo.architecture}'];
const NAMESPACES = ['shop', 'vault', SYSTEM];

function linesOf(text: string): string[] {
  return text.split('\n').filter(Boolean);
}

/** Why the demo leaves this cluster alone, and what to do; undefined if nothing is in the way. */
export function whatIsInTheWay({ architectures, taken, hasOperator }: Seen, context: string): string | undefined {
  if (architectures.length === 0) return `The cluster of context ${context} has no nodes, so nothing would run there.`;
  if (hasOperator)
    return `The operator is in the cluster of context ${context} already, and the demo would get in its way. To try it there, apply samples
of your own (docs/getting-started.md from step 3). For the demo, use a cluster without it, such as a new one: kind create cluster --name demo`;
  if (taken.length > 0)
    return `The cluster of context ${context} has ${taken.join(', ')} already, and the demo did not make it. Nothing was changed. Use another
cluster, such as a new one: kind create cluster --name demo`;
  return undefined;
}
