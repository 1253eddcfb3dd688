/** The values of the chart that the pods are made of: what each changes. */
import pack from '../../package.json' with { type: 'json' };
import { RELEASE } from '../support/helm.ts';
import {
  all,
  bothContainers,
  bothPods,
  container,
  deployment,
  into,
  job,
  last,
  pod,
  twice,
  variable,
  CONTAINER,
  SELECTOR,
  TEMPLATE,
  type Case,
  type Look,
} from './chart-looks.ts';

const VERSION = pack.version;
const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const TOLERATION = [{ key: 'infra', operator: 'Exists', effect: 'NoSchedule' }];
const AFFINITY = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } };
const SPREAD = { topologyKey: 'rack', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule' };
const EVERY_NAME: Look = (objects) => objects.filter(({ metadata }) => metadata.name.startsWith(RELEASE)).length;
const SETTINGS = into('ConfigMap', `${RELEASE}-settings`, 'data', 'settings.yaml');

export const POD_CASES: Readonly<Record<string, Case>> = {
  // those of the operator's objects; other names have one meaning in a cluster
  fullnameOverride: { value: 'acme', look: EVERY_NAME, seen: 0 },
  commonLabels: {
    value: { team: 'platform', 'app.kubernetes.io/name': 'mine' },
    look: (objects) => [
      objects.every(
        ({ metadata }) => metadata.labels?.team === 'platform' && metadata.labels['app.kubernetes.io/name'] === RELEASE,
      ),
      deployment(...TEMPLATE, 'metadata', 'labels')(objects),
      deployment('spec', 'selector', 'matchLabels')(objects),
    ],
    seen: [true, { ...SELECTOR, team: 'platform' }, SELECTOR],
  },
  replicas: { value: 3, look: deployment('spec', 'replicas'), seen: 3 },
  autoscaled: { value: true, look: deployment('spec', 'replicas'), seen: undefined },
  'strategy.maxUnavailable': {
    value: '50%',
    look: deployment('spec', 'strategy', 'rollingUpdate', 'maxUnavailable'),
    seen: '50%',
  },
  'strategy.maxSurge': { value: 0, look: deployment('spec', 'strategy', 'rollingUpdate', 'maxSurge'), seen: 0 },
  'image.registry': {
    value: 'r.example.com:5000/',
    look: bothContainers('image'),
    seen: twice(`r.example.com:5000/vault-injection-operator:${VERSION}`),
  },
  'image.repository': {
    value: 'r.example.com/team/operator', // a host in it wins over the registry
    look: bothContainers('image'),
    seen: twice(`r.example.com/team/operator:${VERSION}`),
  },
  'image.tag': { value: 'v2', look: bothContainers('image'), seen: twice('localhost/vault-injection-operator:v2') },
  'image.digest': {
    value: DIGEST,
    look: bothContainers('image'),
    seen: twice(`localhost/vault-injection-operator@${DIGEST}`),
    also: { 'image.tag': 'v2' },
  },
  'image.pullPolicy': { value: 'Always', look: bothContainers('imagePullPolicy'), seen: twice('Always') },
  'injector.image.registry': {
    value: 'r.example.com',
    look: variable('VAULT_INJECTION_INJECTOR_IMAGE'),
    seen: `r.example.com/vault-env:${VERSION}`,
  },
  'injector.image.repository': {
    value: 'team/env',
    look: variable('VAULT_INJECTION_INJECTOR_IMAGE'),
    seen: `localhost/team/env:${VERSION}`,
  },
  'injector.image.tag': {
    value: 'v2',
    look: variable('VAULT_INJECTION_INJECTOR_IMAGE'),
    seen: 'localhost/vault-env:v2',
  },
  'injector.image.digest': {
    value: DIGEST,
    look: variable('VAULT_INJECTION_INJECTOR_IMAGE'),
    seen: `localhost/vault-env@${DIGEST}`,
  },
  imagePullSecrets: {
    value: [{ name: 'regcred' }],
    look: bothPods('imagePullSecrets'),
    seen: twice([{ name: 'regcred' }]),
  },
  'settings.vaultIdentities': {
    value: [{ name: 'main', address: 'https://v', paths: ['secret/data/*'] }],
    look: SETTINGS,
    seen: 'templates: []\nvaultIdentities:\n- address: https://v\n  name: main\n  paths:\n  - secret/data/*\n',
  },
  'settings.templates': {
    value: [
      'ArgoRollout',
      { group: 'e.com', version: 'v1', resource: 'as', kind: 'A', template: 'spec.a', rollout: 'None' },
    ],
    look: SETTINGS,
    seen:
      'templates:\n- ArgoRollout\n- group: e.com\n  kind: A\n  resource: as\n  rollout: None\n  template: spec.a\n  version: v1\n' +
      'vaultIdentities: []\n',
  },
  settingsFiles: {
    value: { 'ca.crt': 'a CA\n', 'settings.yaml': 'ignored' },
    look: into('ConfigMap', `${RELEASE}-settings`, 'data'),
    seen: { 'ca.crt': 'a CA\n', 'settings.yaml': 'templates: []\nvaultIdentities: []\n' },
  },
  extraEnv: {
    value: [{ name: 'HTTPS_PROXY', value: 'p' }],
    look: all(last(container('env')), last(job(...CONTAINER, 'env'))),
    seen: twice({ name: 'HTTPS_PROXY', value: 'p' }),
  },
  extraVolumes: {
    value: [{ name: 'v', secret: { secretName: 's' } }],
    look: bothPods('volumes', 1),
    seen: twice({ name: 'v', secret: { secretName: 's' } }),
  },
  extraVolumeMounts: {
    value: [{ name: 'v', mountPath: '/v' }],
    look: bothContainers('volumeMounts', 1),
    seen: twice({ name: 'v', mountPath: '/v' }),
  },
  podLabels: {
    value: { team: 'platform', 'app.kubernetes.io/component': 'mine' },
    look: all(deployment(...TEMPLATE, 'metadata', 'labels'), job(...TEMPLATE, 'metadata', 'labels')),
    seen: [
      { ...SELECTOR, team: 'platform' },
      { ...SELECTOR, 'app.kubernetes.io/component': 'uninstall', team: 'platform' },
    ],
  },
  podAnnotations: { value: { note: 'x' }, look: deployment(...TEMPLATE, 'metadata', 'annotations', 'note'), seen: 'x' },
  priorityClassName: {
    value: 'system-cluster-critical',
    look: bothPods('priorityClassName'),
    seen: twice('system-cluster-critical'),
  },
  nodeSelector: { value: { pool: 'infra' }, look: bothPods('nodeSelector'), seen: twice({ pool: 'infra' }) },
  tolerations: { value: TOLERATION, look: bothPods('tolerations'), seen: twice(TOLERATION) },
  affinity: { value: AFFINITY, look: pod('affinity'), seen: AFFINITY },
  topologySpreadConstraints: {
    value: [SPREAD],
    look: pod('topologySpreadConstraints'),
    seen: [{ ...SPREAD, labelSelector: { matchLabels: SELECTOR }, matchLabelKeys: ['pod-template-hash'] }],
  },
  terminationGracePeriodSeconds: { value: 90, look: pod('terminationGracePeriodSeconds'), seen: 90 },
  'podSecurityContext.runAsNonRoot': {
    value: null,
    look: bothPods('securityContext', 'runAsNonRoot'),
    seen: twice(undefined),
  },
  'podSecurityContext.runAsUser': {
    value: null,
    look: bothPods('securityContext', 'runAsUser'),
    seen: twice(undefined),
  },
  'podSecurityContext.runAsGroup': { value: 7, look: bothPods('securityContext', 'runAsGroup'), seen: twice(7) },
  'podSecurityContext.seccompProfile.type': {
    value: 'Localhost',
    look: bothPods('securityContext', 'seccompProfile', 'type'),
    seen: twice('Localhost'),
  },
  'securityContext.allowPrivilegeEscalation': {
    value: true,
    look: bothContainers('securityContext', 'allowPrivilegeEscalation'),
    seen: twice(true),
  },
  'securityContext.readOnlyRootFilesystem': {
    value: false,
    look: bothContainers('securityContext', 'readOnlyRootFilesystem'),
    seen: twice(false),
  },
  'securityContext.capabilities.drop': {
    value: ['NET_RAW'],
    look: bothContainers('securityContext', 'capabilities', 'drop'),
    seen: twice(['NET_RAW']),
  },
  'resources.requests.cpu': { value: 1, look: bothContainers('resources', 'requests', 'cpu'), seen: twice(1) },
  'resources.requests.memory': {
    value: '1Gi',
    look: bothContainers('resources', 'requests', 'memory'),
    seen: twice('1Gi'),
  },
  'resources.limits.memory': {
    value: '1Gi',
    look: bothContainers('resources', 'limits', 'memory'),
    seen: twice('1Gi'),
  },
};
