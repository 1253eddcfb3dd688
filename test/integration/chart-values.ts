/** Each value of the chart: what it changes. chart.test.ts renders them, and fails for a value that is not here. */
import { RELEASE } from '../support/helm.ts';
import {
  all,
  bothPods,
  container,
  count,
  into,
  job,
  network,
  twice,
  variable,
  CONTAINER,
  type Case,
} from './chart-looks.ts';
import { POD_CASES } from './chart-pod-values.ts';

const PEER = [{ ipBlock: { cidr: '10.0.0.0/28' } }];

export const CASES: Readonly<Record<string, Case>> = {
  ...POD_CASES,
  nodeOptions: { value: '--max-old-space-size=512', look: variable('NODE_OPTIONS'), seen: '--max-old-space-size=512' },
  hostNetwork: {
    value: true,
    look: all(bothPods('hostNetwork'), bothPods('dnsPolicy')),
    seen: [twice(true), twice('ClusterFirstWithHostNet')],
    also: { 'webhook.port': 10260 },
  },
  'webhook.port': {
    value: 9443,
    look: all(
      variable('VAULT_INJECTION_WEBHOOK_PORT'),
      container('ports', 0, 'containerPort'),
      network('webhook', 'ingress', 0, 'ports', 0, 'port'),
    ),
    seen: ['9443', 9443, 9443],
  },
  'metrics.port': {
    value: 9090,
    look: all(
      variable('VAULT_INJECTION_HEALTH_PORT'),
      container('ports', 1, 'containerPort'),
      network('metrics', 'ingress', 0, 'ports', 0, 'port'),
    ),
    seen: ['9090', 9090, 9090],
  },
  'service.ipFamilyPolicy': {
    value: 'PreferDualStack',
    look: into('Service', RELEASE, 'spec', 'ipFamilyPolicy'),
    seen: 'PreferDualStack',
  },
  'service.ipFamilies': {
    value: ['IPv6', 'IPv4'],
    look: into('Service', RELEASE, 'spec', 'ipFamilies'),
    seen: ['IPv6', 'IPv4'],
  },
  'service.annotations': {
    value: { a: 'b' },
    look: into('Service', RELEASE, 'metadata', 'annotations'),
    seen: { a: 'b' },
  },
  'podDisruptionBudget.enabled': { value: false, look: count('PodDisruptionBudget'), seen: 0 },
  'podDisruptionBudget.maxUnavailable': {
    value: '34%',
    look: into('PodDisruptionBudget', RELEASE, 'spec', 'maxUnavailable'),
    seen: '34%',
  },
  'serviceAccount.create': { value: false, look: into('ServiceAccount', RELEASE), seen: undefined },
  'serviceAccount.name': {
    value: 'theirs',
    look: (objects) => [
      bothPods('serviceAccountName')(objects),
      into('ServiceAccount', 'theirs', 'kind')(objects),
      ...['ClusterRoleBinding', 'RoleBinding'].map((kind) => into(kind, RELEASE, 'subjects', 0, 'name')(objects)),
      ...['workloads', 'objects'].map((name) =>
        into('ValidatingAdmissionPolicyBinding', `${RELEASE}-${name}`, 'spec', 'paramRef', 'name')(objects),
      ),
      into('MutatingAdmissionPolicyBinding', `${RELEASE}-marks`, 'spec', 'paramRef', 'name')(objects),
    ],
    seen: [twice('theirs'), 'ServiceAccount', 'theirs', 'theirs', 'theirs', 'theirs', 'theirs'],
  },
  'serviceAccount.annotations': {
    value: { a: 'b' },
    look: into('ServiceAccount', RELEASE, 'metadata', 'annotations'),
    seen: { a: 'b' },
  },
  'vaultServiceAccount.create': { value: false, look: into('ServiceAccount', `${RELEASE}-vault`), seen: undefined },
  'vaultServiceAccount.name': {
    value: 'login',
    look: (objects) => [
      variable('VAULT_INJECTION_VAULT_SERVICE_ACCOUNT')(objects),
      into('ServiceAccount', 'login', 'automountServiceAccountToken')(objects),
      (into('Role', RELEASE, 'rules')(objects) as readonly { resources: string[]; resourceNames?: string[] }[]).find(
        ({ resources }) => resources.includes('serviceaccounts/token'),
      )?.resourceNames,
    ],
    seen: ['login', false, ['login']],
  },
  'vaultServiceAccount.annotations': {
    value: { a: 'b' },
    look: into('ServiceAccount', `${RELEASE}-vault`, 'metadata', 'annotations'),
    seen: { a: 'b' },
  },
  'rbac.create': {
    value: false,
    look: all(count('ClusterRole'), count('Role'), count('RoleBinding'), count('ClusterRoleBinding')),
    seen: [2, 0, 0, 0],
  },
  'rbac.userRoles': { value: false, look: count('ClusterRole', /vault-injection-policy/), seen: 0 },
  'crds.enabled': { value: false, look: count('CustomResourceDefinition'), seen: 0 },
  'crds.keep': {
    value: false,
    look: into('CustomResourceDefinition', 'vaultinjectionpolicies.vaultinjection.dev', 'metadata', 'annotations'),
    seen: undefined,
  },
  'guard.enabled': {
    value: false,
    look: all(
      count('ValidatingAdmissionPolicy'),
      count('ValidatingAdmissionPolicyBinding'),
      count('MutatingAdmissionPolicy'),
    ),
    seen: [1, 1, 0],
  },
  'guard.marks': {
    value: false,
    look: all(count('MutatingAdmissionPolicy'), count('MutatingAdmissionPolicyBinding')),
    seen: [0, 0],
  },
  'warnings.enabled': {
    value: false,
    look: all(count('ValidatingAdmissionPolicy'), count('ValidatingAdmissionPolicyBinding')),
    seen: [2, 2],
  },
  'networkPolicy.enabled': { value: false, look: count('NetworkPolicy'), seen: 0 },
  'networkPolicy.webhook.from': { value: PEER, look: network('webhook', 'ingress', 0, 'from'), seen: PEER },
  'networkPolicy.metrics.from': { value: PEER, look: network('metrics', 'ingress', 0, 'from'), seen: PEER },
  'networkPolicy.egress.enabled': { value: true, look: count('NetworkPolicy', /-egress$/), seen: 1 },
  'networkPolicy.egress.rules': {
    value: [{ ports: [{ protocol: 'TCP', port: 5000 }] }],
    look: network('egress', 'egress', 2),
    seen: { ports: [{ protocol: 'TCP', port: 5000 }] },
    also: { 'networkPolicy.egress.enabled': true },
  },
  'uninstall.enabled': { value: false, look: count('Job'), seen: 0 },
  'uninstall.restore': {
    value: true,
    look: job(...CONTAINER, 'args'),
    seen: ['uninstall', '--restore', '--restore-timeout=40s'],
  },
  'uninstall.timeoutSeconds': { value: 3600, look: job('spec', 'activeDeadlineSeconds'), seen: 3600 },
  'serviceMonitor.enabled': {
    value: true,
    look: into('ServiceMonitor', RELEASE, 'spec', 'endpoints'),
    seen: [{ port: 'metrics' }],
  },
  'serviceMonitor.labels': {
    value: { release: 'prometheus' },
    look: into('ServiceMonitor', RELEASE, 'metadata', 'labels', 'release'),
    seen: 'prometheus',
    also: { 'serviceMonitor.enabled': true },
  },
  'serviceMonitor.interval': {
    value: '15s',
    look: into('ServiceMonitor', RELEASE, 'spec', 'endpoints', 0, 'interval'),
    seen: '15s',
    also: { 'serviceMonitor.enabled': true },
  },
  'podMonitor.enabled': {
    value: true,
    look: into('PodMonitor', RELEASE, 'spec', 'podMetricsEndpoints'),
    seen: [{ port: 'metrics' }],
  },
  'podMonitor.labels': {
    value: { release: 'prometheus' },
    look: into('PodMonitor', RELEASE, 'metadata', 'labels', 'release'),
    seen: 'prometheus',
    also: { 'podMonitor.enabled': true },
  },
  'podMonitor.interval': {
    value: '15s',
    look: into('PodMonitor', RELEASE, 'spec', 'podMetricsEndpoints', 0, 'interval'),
    seen: '15s',
    also: { 'podMonitor.enabled': true },
  },
  'prometheusRule.enabled': {
    value: true,
    look: into('PrometheusRule', RELEASE, 'spec', 'groups', 0, 'name'),
    seen: 'example',
  },
  'prometheusRule.labels': {
    value: { release: 'prometheus' },
    look: into('PrometheusRule', RELEASE, 'metadata', 'labels', 'release'),
    seen: 'prometheus',
    also: { 'prometheusRule.enabled': true },
  },
  'prometheusRule.runbooks': {
    value: 'https://wiki.example.com/vault/runbooks/',
    look: into('PrometheusRule', RELEASE, 'spec', 'groups', 0, 'rules', 0, 'annotations', 'runbook_url'),
    seen: 'https://wiki.example.com/vault/runbooks/a-page',
    also: { 'prometheusRule.enabled': true },
  },
};
