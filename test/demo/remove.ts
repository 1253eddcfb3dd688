/** Removes what the demo has made in a cluster, and nothing else: it has made what has its label. */
import { MADE_BY_DEMO, type TrialCluster } from './trial-cluster.ts';

export const SYSTEM = 'vault-injection-system';
/** Of the operator's objects, and of the release. */
export const OPERATOR = 'vault-injection-operator';
export const CRD = 'vaultinjectionpolicies.vaultinjection.dev';
/** Objects outside of the demo's namespaces. A cluster without one of these kinds has none of them. */
const KINDS = [
  ...['rolebindings', 'roles', 'clusterrolebindings', 'clusterroles'],
  ...['validatingadmissionpolicybindings', 'validatingadmissionpolicies'],
  ...['mutatingadmissionpolicybindings', 'mutatingadmissionpolicies'],
];

/** The namespaces in a cluster that the demo has made. */
export async function namespacesOfDemo(cluster: TrialCluster): Promise<string[]> {
  const names = await cluster.kubectl('get', 'namespaces', '-l', MADE_BY_DEMO, '-o', 'name');
  return names
    .split('\n')
    .filter(Boolean)
    .map((name) => name.replace('namespace/', ''));
}

/**
 * Workloads and policies go first, while the operator is there; then the operator with what it has written; then what is not in a
 * namespace. May be repeated after it was interrupted.
 */
export async function removeDemo(cluster: TrialCluster, say: (line: string) => void): Promise<void> {
  const namespaces = await namespacesOfDemo(cluster);
  await deleteNamespaces(
    cluster,
    namespaces.filter((name) => name !== SYSTEM),
    say,
  );
  if (namespaces.includes(SYSTEM)) {
    await uninstall(cluster, say);
    await deleteNamespaces(cluster, [SYSTEM], say);
  }
  for (const kind of KINDS) await deleteLabelled(cluster, kind, say);
  // it belongs to a ClusterRole that is gone, so the cluster removes it by itself; nothing may wait for it meanwhile
  if (namespaces.includes(SYSTEM))
    await cluster.kubectl('delete', 'mutatingwebhookconfiguration', OPERATOR, '--ignore-not-found');
  await removeCrd(cluster, say);
}

async function deleteNamespaces(
  cluster: TrialCluster,
  names: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  if (names.length === 0) return;
  say(`the namespaces ${names.join(', ')}, with all that is in them`);
  await cluster.kubectl('delete', 'namespace', ...names, '--ignore-not-found', '--timeout=300s');
}

/** By helm if it has installed it. Without helm the labels are enough. */
async function uninstall(cluster: TrialCluster, say: (line: string) => void): Promise<void> {
  if (!(await cluster.hasHelm())) return;
  // `helm list --all` is no more in Helm 4, and without it Helm 3 lists no release that has failed
  const status = cluster.helm('', 'status', OPERATOR, '--namespace', SYSTEM);
  const installed = await status.then(
    () => true,
    () => false,
  );
  if (!installed) return;
  say(`the release ${OPERATOR}`);
  try {
    await cluster.helm('', 'uninstall', OPERATOR, '--namespace', SYSTEM, '--wait', '--timeout', '120s');
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}: its objects are deleted by their label`);
  }
}

async function deleteLabelled(cluster: TrialCluster, kind: string, say: (line: string) => void): Promise<void> {
  const all = /^role(binding)?s$/.test(kind) ? ['--all-namespaces'] : [];
  try {
    const deleted = await cluster.kubectl('delete', kind, '-l', MADE_BY_DEMO, ...all, '--ignore-not-found');
    for (const line of deleted.split('\n').filter((one) => one.includes('deleted'))) say(line);
  } catch (error) {
    if (!String(error).includes("the server doesn't have a resource type")) throw error;
  }
}

/** With the CRD, all policies of the cluster would go. */
async function removeCrd(cluster: TrialCluster, say: (line: string) => void): Promise<void> {
  const ours = await cluster.kubectl('get', 'crd', '-l', MADE_BY_DEMO, '-o', 'name');
  if (!ours.includes(CRD)) return;
  if ((await cluster.kubectl('get', CRD, '--all-namespaces', '-o', 'name')) === '') {
    await cluster.kubectl('delete', 'crd', CRD, '--timeout=60s');
    say(`the CRD ${CRD}`);
    return;
  }
  say(`the CRD ${CRD} stays: there are policies in namespaces that the demo has not made`);
}
