// Generated from config/rbac/operator.yaml by build/generate/rights-list.ts: do not edit.

/** A rule of the operator's ClusterRole, or of its Role (isOwn) in its own namespace. */
export interface RightsRule {
  readonly isOwn: boolean;
  readonly group: string;
  readonly resources: readonly string[];
  /** None: any. */
  readonly names: readonly string[];
  readonly verbs: readonly string[];
}

export const RULES: readonly RightsRule[] = [
  {
    isOwn: false,
    group: 'vaultinjection.dev',
    resources: ['vaultinjectionpolicies'],
    names: [],
    verbs: ['get', 'list', 'watch'],
  },
  {
    isOwn: false,
    group: 'vaultinjection.dev',
    resources: ['vaultinjectionpolicies/status'],
    names: [],
    verbs: ['patch'],
  },
  {
    isOwn: false,
    group: 'apps',
    resources: ['deployments', 'statefulsets', 'daemonsets', 'replicasets'],
    names: [],
    verbs: ['get', 'list', 'watch', 'patch'],
  },
  {
    isOwn: false,
    group: 'batch',
    resources: ['cronjobs'],
    names: [],
    verbs: ['get', 'list', 'watch', 'patch'],
  },
  {
    isOwn: false,
    group: '',
    resources: ['replicationcontrollers'],
    names: [],
    verbs: ['get', 'list', 'watch', 'patch'],
  },
  {
    isOwn: false,
    group: 'batch',
    resources: ['jobs'],
    names: [],
    verbs: ['get', 'list', 'watch'],
  },
  {
    isOwn: false,
    group: 'apps',
    resources: ['controllerrevisions'],
    names: [],
    verbs: ['create', 'delete', 'list'],
  },
  {
    isOwn: false,
    group: '',
    resources: ['events'],
    names: [],
    verbs: ['create', 'patch'],
  },
  {
    isOwn: false,
    group: '',
    resources: ['configmaps'],
    names: [],
    verbs: ['get', 'list', 'watch'],
  },
  {
    isOwn: false,
    group: '',
    resources: ['serviceaccounts'],
    names: [],
    verbs: ['get'],
  },
  {
    isOwn: false,
    group: '',
    resources: ['nodes'],
    names: [],
    verbs: ['list'],
  },
  {
    isOwn: false,
    group: '',
    resources: ['namespaces'],
    names: [],
    verbs: ['list', 'watch'],
  },
  {
    isOwn: false,
    group: 'admissionregistration.k8s.io',
    resources: ['mutatingwebhookconfigurations'],
    names: ['vault-injection-operator'],
    verbs: ['create', 'list', 'watch', 'update', 'patch', 'delete'],
  },
  {
    isOwn: false,
    group: 'rbac.authorization.k8s.io',
    resources: ['clusterroles'],
    names: ['vault-injection-operator'],
    verbs: ['get'],
  },
  {
    isOwn: false,
    group: 'apiextensions.k8s.io',
    resources: ['customresourcedefinitions'],
    names: ['vaultinjectionpolicies.vaultinjection.dev'],
    verbs: ['list', 'watch'],
  },
  {
    isOwn: true,
    group: '',
    resources: ['secrets'],
    names: ['vault-injection-operator-webhook'],
    verbs: ['create', 'get', 'list', 'watch', 'update', 'patch'],
  },
  {
    isOwn: true,
    group: '',
    resources: ['configmaps'],
    names: ['vault-injection-operator-probe'],
    verbs: ['create', 'patch'],
  },
  {
    isOwn: true,
    group: '',
    resources: ['serviceaccounts/token'],
    names: ['vault-injection-operator-vault'],
    verbs: ['create'],
  },
  {
    isOwn: true,
    group: 'coordination.k8s.io',
    resources: ['leases'],
    names: ['vault-injection-operator-leader'],
    verbs: ['get', 'update'],
  },
  {
    isOwn: true,
    group: 'coordination.k8s.io',
    resources: ['leases'],
    names: [],
    verbs: ['create', 'list', 'watch', 'patch', 'delete'],
  },
];
