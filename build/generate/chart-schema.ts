/** config/chart/values.schema.json: types of the values, described by the comments in values.yaml. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import type { YAMLMap } from 'yaml';

import { settingsSchema } from './chart-settings.ts';
import { formatted } from './format.ts';

export const CHART_SCHEMA_FILE = 'config/chart/values.schema.json';

const VALUES = join(import.meta.dirname, '../../config/chart/values.yaml');

export type Schema = Readonly<Record<string, unknown>>;

// `null` takes a default away, so nothing is required of maps of values.
const closed = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  additionalProperties: false,
  ...(required.length > 0 ? { required } : {}),
  properties,
});
const listOf = (items: Schema): Schema => ({ type: 'array', items });
const mapOf = (values: Schema): Schema => ({ type: 'object', additionalProperties: values });
const oneOf = (...words: readonly string[]): Schema => ({ enum: words });

const TEXT: Schema = { type: 'string' };
const FLAG: Schema = { type: 'boolean' };
const COUNT: Schema = { type: 'integer', minimum: 0 };
const PORT: Schema = { type: 'integer', minimum: 1, maximum: 65535 };
const TEXTS = mapOf(TEXT);
const NAME: Schema = { type: 'string', pattern: '^([a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?)?$' };
const COUNT_OR_PERCENTAGE: Schema = { type: ['integer', 'string'], minimum: 0, pattern: '^[0-9]+%$' };
/** A part of Kubernetes' own API, which the API server validates. */
const KUBERNETES: Schema = { $ref: '#/$defs/kubernetes' };

const kubernetes = (...keys: readonly string[]): Readonly<Record<string, Schema>> =>
  Object.fromEntries(keys.map((key) => [key, KUBERNETES]));

const IMAGE = {
  registry: { type: 'string', pattern: '^[^\\s@]*$' },
  repository: { type: 'string', pattern: '^[^\\s@:]+$' },
  tag: { type: 'string', pattern: '^[\\w.-]{0,128}$' },
  digest: { type: 'string', pattern: '^(sha256:[a-f0-9]{64})?$' },
} as const;

const PEERS = listOf(closed(kubernetes('ipBlock', 'namespaceSelector', 'podSelector')));
const USERS = { runAsNonRoot: FLAG, runAsUser: COUNT, runAsGroup: COUNT } as const;
const SECCOMP = kubernetes('seccompProfile', 'appArmorProfile', 'seLinuxOptions', 'windowsOptions');
const MONITOR = {
  enabled: FLAG,
  labels: TEXTS,
  interval: { type: 'string', pattern: '^([0-9]+(ms|s|m|h))*$' },
} as const;
const ACCOUNT = closed({ create: FLAG, name: NAME, annotations: TEXTS });
const SWITCH = closed({ enabled: FLAG });

const VALUE_TYPES: Readonly<Record<string, Schema>> = {
  fullnameOverride: NAME,
  commonLabels: TEXTS,
  replicas: COUNT,
  autoscaled: FLAG,
  strategy: closed({ maxUnavailable: COUNT_OR_PERCENTAGE, maxSurge: COUNT_OR_PERCENTAGE }),
  image: closed({ ...IMAGE, pullPolicy: oneOf('', 'Always', 'IfNotPresent', 'Never') }),
  injector: closed({ image: closed(IMAGE) }),
  imagePullSecrets: listOf(closed({ name: TEXT }, ['name'])),
  settings: settingsSchema(),
  settingsFiles: TEXTS,
  extraEnv: listOf(closed({ name: TEXT, value: TEXT, valueFrom: KUBERNETES }, ['name'])),
  extraVolumes: listOf(
    closed(
      {
        name: TEXT,
        ...kubernetes('configMap', 'secret', 'projected', 'downwardAPI', 'emptyDir', 'csi', 'image', 'ephemeral'),
        ...kubernetes('persistentVolumeClaim', 'hostPath', 'nfs'),
      },
      ['name'],
    ),
  ),
  extraVolumeMounts: listOf(
    closed(
      {
        name: TEXT,
        mountPath: TEXT,
        subPath: TEXT,
        subPathExpr: TEXT,
        readOnly: FLAG,
        recursiveReadOnly: TEXT,
        mountPropagation: TEXT,
      },
      ['name', 'mountPath'],
    ),
  ),
  podLabels: TEXTS,
  podAnnotations: TEXTS,
  priorityClassName: TEXT,
  nodeSelector: TEXTS,
  tolerations: listOf(
    closed({
      key: TEXT,
      operator: TEXT,
      value: TEXT,
      effect: oneOf('', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'),
      tolerationSeconds: { type: 'integer' },
    }),
  ),
  affinity: closed(kubernetes('nodeAffinity', 'podAffinity', 'podAntiAffinity')),
  topologySpreadConstraints: listOf(
    closed(
      {
        topologyKey: TEXT,
        maxSkew: { type: 'integer', minimum: 1 },
        minDomains: { type: 'integer', minimum: 1 },
        whenUnsatisfiable: oneOf('ScheduleAnyway', 'DoNotSchedule'),
        nodeAffinityPolicy: oneOf('Honor', 'Ignore'),
        nodeTaintsPolicy: oneOf('Honor', 'Ignore'),
      },
      ['topologyKey', 'maxSkew', 'whenUnsatisfiable'],
    ),
  ),
  terminationGracePeriodSeconds: COUNT,
  podSecurityContext: closed({
    ...USERS,
    ...SECCOMP,
    fsGroup: COUNT,
    fsGroupChangePolicy: TEXT,
    supplementalGroups: listOf(COUNT),
    supplementalGroupsPolicy: TEXT,
    seLinuxChangePolicy: TEXT,
    sysctls: listOf(closed({ name: TEXT, value: TEXT }, ['name', 'value'])),
  }),
  securityContext: closed({
    ...USERS,
    ...SECCOMP,
    ...kubernetes('capabilities'),
    allowPrivilegeEscalation: FLAG,
    privileged: FLAG,
    procMount: TEXT,
    readOnlyRootFilesystem: FLAG,
  }),
  resources: closed({
    requests: mapOf({ type: ['string', 'number'] }),
    limits: mapOf({ type: ['string', 'number'] }),
    claims: listOf(closed({ name: TEXT, request: TEXT }, ['name'])),
  }),
  nodeOptions: TEXT,
  hostNetwork: FLAG,
  webhook: closed({ port: PORT }),
  metrics: closed({ port: PORT }),
  service: closed({
    ipFamilyPolicy: oneOf('', 'SingleStack', 'PreferDualStack', 'RequireDualStack'),
    ipFamilies: { ...listOf(oneOf('IPv4', 'IPv6')), maxItems: 2, uniqueItems: true },
    annotations: TEXTS,
  }),
  podDisruptionBudget: closed({ enabled: FLAG, maxUnavailable: COUNT_OR_PERCENTAGE }),
  serviceAccount: ACCOUNT,
  vaultServiceAccount: ACCOUNT,
  rbac: closed({ create: FLAG, userRoles: FLAG }),
  crds: closed({ enabled: FLAG, keep: FLAG }),
  guard: closed({ enabled: FLAG, marks: FLAG }),
  warnings: SWITCH,
  networkPolicy: closed({
    enabled: FLAG,
    webhook: closed({ from: PEERS }),
    metrics: closed({ from: PEERS }),
    egress: closed({ enabled: FLAG, rules: listOf(closed({ ports: listOf(KUBERNETES), to: PEERS })) }),
  }),
  uninstall: closed({ enabled: FLAG, restore: FLAG, timeoutSeconds: { type: 'integer', minimum: 1 } }),
  serviceMonitor: closed(MONITOR),
  podMonitor: closed(MONITOR),
  prometheusRule: closed({
    enabled: FLAG,
    labels: TEXTS,
    runbooks: { type: 'string', pattern: '^https?://[-\\w.:/~%]+$' },
  }),
};

/** What charts that have this one as a dependency pass to it. */
const OF_PARENTS: Readonly<Record<string, Schema>> = {
  global: {
    ...KUBERNETES,
    description: 'Helm passes it on from a chart that has this one as a dependency. Nothing reads it.',
  },
  enabled: {
    ...FLAG,
    description: 'For the condition of a chart that has this one as a dependency. Nothing reads it.',
  },
};

/** Resolves with the JSON schema (2020-12) of the chart's values. Throws if values.yaml and the types name different values. */
export async function chartSchema(yaml = readFileSync(VALUES, 'utf8')): Promise<string> {
  const document = parseDocument(yaml);
  if (!isMap(document.contents)) throw new Error('values.yaml is no mapping');
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Values of the chart vault-injection-operator',
    type: 'object',
    additionalProperties: false,
    properties: { ...described(document.contents, VALUE_TYPES, ''), ...OF_PARENTS },
    $defs: { kubernetes: { type: 'object', description: 'As in the API of Kubernetes. The API server validates it.' } },
  };
  return formatted(CHART_SCHEMA_FILE, JSON.stringify(schema));
}

/** Returns the types with the comments above the values as descriptions. */
function described(map: YAMLMap, types: Readonly<Record<string, Schema>>, above: string): Record<string, Schema> {
  const names = map.items.map(({ key }) => String(key));
  const path = (name: string): string => [above, name].filter(Boolean).join('.');
  const missing = Object.keys(types).find((name) => above === '' && !names.includes(name));
  if (missing !== undefined) throw new Error(`values.yaml has no ${path(missing)}`);
  const pairs = map.items.map(({ key, value }, index): [string, Schema] => {
    const name = String(key);
    const type = types[name];
    if (type === undefined) throw new Error(`values.yaml has ${path(name)}, of which there is no type`);
    // the comment above the first one belongs to the mapping
    const comment = (index === 0 ? map.commentBefore : (key as { commentBefore?: string | null }).commentBefore) ?? '';
    const inner = type.properties as Readonly<Record<string, Schema>> | undefined;
    const properties = inner !== undefined && isMap(value) ? described(value, inner, path(name)) : inner;
    const description = comment.replaceAll(/\s+/g, ' ').trim();
    return [name, { ...(description === '' ? {} : { description }), ...type, ...(properties && { properties }) }];
  });
  return { ...types, ...Object.fromEntries(pairs) };
}
