import type { Lack } from '../../kube/object-client.ts';
import { ApiError } from '../../kube/object-client.ts';
import type { Settings } from '../settings.ts';
import { POLICIES } from '../policies/reconciler.ts';

// What the operator reads and writes in its own namespace, and what its Role therefore allows; the rest is in the
// ClusterRole. The test compares this with config/rbac.
const OWN = ['secrets', 'serviceaccounts/token', 'leases'];

/**
 * Returns what is wrong with the installation and what to do, for errors that no retry ends: the operator's namespace,
 * the CRD or a right is missing. Undefined for all others.
 */
export function hintOf(
  error: unknown,
  settings: Pick<Settings, 'namespace'> & Partial<Pick<Settings, 'templates'>>,
): string | undefined {
  const lack = error instanceof ApiError ? error.lack : undefined;
  switch (lack?.kind) {
    case undefined:
      return undefined;
    case 'Namespace':
      return hintOfNamespace(lack.name, settings.namespace);
    case 'Resource':
      return lack.group === POLICIES.group ? NO_CRD : undefined;
    case 'Right': {
      const { group, resource } = lack;
      const isAdded = settings.templates?.some((added) => added.group === group && added.resource === resource);
      return isAdded === true ? hintOfAdded(`${resource}.${group}`) : hintOfRight(lack, settings.namespace);
    }
  }
}

const NO_CRD = 'the API server does not know VaultInjectionPolicies: install the CRD, kubectl apply -f crds/';

function hintOfNamespace(name: string, own: string): string | undefined {
  if (name !== own) return undefined;
  return (
    `the operator's namespace ${name} does not exist: kubectl apply -k config/default creates it with everything in ` +
    `it, kubectl create namespace ${name} the namespace alone; if the operator runs in another, set --namespace`
  );
}

function hintOfAdded(full: string): string {
  return (
    `the operator lacks rights on ${full}: the chart grants them for what is in settings.templates; without the chart, ` +
    'apply the ClusterRole in docs/guides/other-kinds.md'
  );
}

/** One hint for all verbs of a resource: its rule is usually missing as a whole. */
function hintOfRight({ verb, group, resource, namespace }: Lack & { kind: 'Right' }, own: string): string | undefined {
  // ConfigMaps are read everywhere, and applied, as a dry run, only there
  const isOwn = OWN.includes(resource) || (resource === 'configmaps' && ['create', 'patch'].includes(verb));
  // other namespaces decide themselves whether the operator may read their Secrets
  if (isOwn && namespace !== own) return undefined;
  const full = group === '' ? resource : `${resource}.${group}`;
  const where = isOwn ? ` in its namespace ${own}` : '';
  return (
    `the operator lacks rights on ${full}${where}: kubectl apply -k config/rbac grants them (the rule of ${resource} ` +
    `in the ${isOwn ? 'Role' : 'ClusterRole'} of config/rbac/operator.yaml), if the operator runs as the ServiceAccount that it names`
  );
}
