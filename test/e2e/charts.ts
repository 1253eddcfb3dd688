/** Charts as `helm template` renders them, from the files in charts/: what they hold, and what of them is injection. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

import { WRAPPER } from '../integration/cluster.ts';
import { ENTRY_POINTS } from './chart-images.ts';

export type Json = Record<string, unknown>;

export interface Container extends Json {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: { name: string; value?: string }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  volumeMounts?: { name: string; mountPath: string }[];
}

export interface Template {
  metadata: { annotations?: Record<string, string>; labels?: Record<string, string> };
  spec: Json & { containers: Container[]; initContainers?: Container[]; volumes?: { name: string }[] };
}

export interface KubernetesObject extends Json {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; generation?: number; resourceVersion?: string };
}

export interface Workload extends KubernetesObject {
  spec: { replicas: number; template: Template };
}

/** The objects of a chart. helm and kubectl read YAML 1.1, in which 0755 is an octal number. */
export function readChart(name: string): KubernetesObject[] {
  const text = readFileSync(join(import.meta.dirname, 'charts', `${name}.yaml`), 'utf8');
  return parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as KubernetesObject);
}

export const isWorkload = (object: KubernetesObject): object is Workload =>
  ['Deployment', 'StatefulSet'].includes(object.kind);

/** Deployment/NAME */
export const keyOf = ({ kind, metadata }: KubernetesObject): string => `${kind}/${metadata.name}`;

/** In the order in which they start. */
export const containersOf = ({ spec }: Template): Container[] => [...(spec.initContainers ?? []), ...spec.containers];

/**
 * What the node of the tests cannot do is changed: it has no pod network, so pods share the host's network, claim no ports
 * of it, and probes over the network become commands; and it does not count ephemeral storage. Everything else is as in
 * the chart.
 */
export function forThisNode(object: KubernetesObject): KubernetesObject {
  if (!isWorkload(object)) return object;
  const copy = structuredClone(object);
  Object.assign(copy.spec.template.spec, { hostNetwork: true, dnsPolicy: 'Default' });
  for (const container of containersOf(copy.spec.template)) {
    delete container.ports;
    const { requests, limits } = (container.resources ?? {}) as Record<string, Json | undefined>;
    for (const quantities of [requests, limits]) delete quantities?.['ephemeral-storage'];
    for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      const { httpGet, tcpSocket, ...probe } = (container[name] ?? {}) as Json;
      if (httpGet ?? tcpSocket) container[name] = { ...probe, exec: { command: ['true'] } };
    }
  }
  return copy;
}

/** The chart with another tag of each image. */
export function upgraded(object: KubernetesObject): KubernetesObject {
  if (!isWorkload(object)) return object;
  const copy = structuredClone(object);
  for (const container of containersOf(copy.spec.template)) container.image = nextOf(container.image);
  return copy;
}

export const nextOf = (image: string): string => `${image}-next`;

/** The words that a container starts its program with, as the kubelet finds them. */
export function programOf({ image, command, args }: Container): string[] {
  if (command !== undefined) return [...command, ...(args ?? [])];
  const { entrypoint = [], cmd = [] } = ENTRY_POINTS[image.slice(0, image.lastIndexOf(':'))] ?? {};
  return [...entrypoint, ...(args ?? cmd)];
}

/** Names of the containers that are wrapped. */
export const wrappedIn = (template: Template): string[] =>
  containersOf(template)
    .filter(({ command }) => command?.[0] === WRAPPER)
    .map(({ name }) => name);

/**
 * A template without what injection adds, told by the names that the documentation gives. Command, args and exec probes of
 * wrapped containers are not restored: they have to be compared.
 */
export function withoutAdditions(template: Template): Template {
  const { metadata, spec } = structuredClone(template);
  const isOurs = ({ name }: { name: string }): boolean => /^vault-env(-token|-ca)?$/.test(name);
  const kept = Object.entries(metadata.annotations ?? {}).filter(([key]) => !key.startsWith('vaultinjection.dev/'));
  put(metadata, 'annotations', kept.length > 0 ? Object.fromEntries(kept) : undefined);
  if (metadata.labels !== undefined) delete metadata.labels['vaultinjection.dev/policy'];
  for (const list of ['initContainers', 'volumes'] as const) put(spec, list, rest(spec[list], isOurs));
  for (const container of containersOf({ metadata, spec })) {
    put(
      container,
      'env',
      rest(container.env, ({ name }) => name === 'VAULT_ENV_CONFIG'),
    );
    put(container, 'volumeMounts', rest(container.volumeMounts, isOurs));
    if (JSON.stringify(container.startupProbe ?? {}).includes('"--started"')) delete container.startupProbe;
  }
  return { metadata, spec };
}

/** What a list has left; undefined, as the API server stores it, if that is nothing. */
function rest<T>(list: T[] | undefined, isOurs: (item: T) => boolean): T[] | undefined {
  const kept = list?.filter((item) => !isOurs(item)) ?? [];
  return kept.length > 0 ? kept : undefined;
}

function put(object: object, key: string, value: unknown): void {
  if (value === undefined) Reflect.deleteProperty(object, key);
  else Object.assign(object, { [key]: value });
}

const EXEC_FIELDS = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle.postStart', 'lifecycle.preStop'];

/** A container as its template is expected to have it after injection, but for what is added. */
export function expectedContainer(plain: Container, isWrapped: boolean, probes: boolean): Container {
  if (!isWrapped) return plain;
  const container = { ...structuredClone(plain), command: [WRAPPER], args: ['--', ...programOf(plain)] };
  for (const field of probes ? EXEC_FIELDS : []) {
    const handler = field.split('.').reduce<Json | undefined>((object, key) => object?.[key] as Json, container);
    const exec = handler?.exec as { command: string[] } | undefined;
    if (exec !== undefined) exec.command = [WRAPPER, '--', ...exec.command];
  }
  return container;
}

const REFERENCE = /vault:(secret\/data\/[\w/-]+)#(\w+)/g;

/** Vault's secrets by path that a chart refers to, each key with a value of its own. */
export function secretsOf(chart: readonly KubernetesObject[]): Map<string, Record<string, string>> {
  const secrets = new Map<string, Record<string, string>>();
  for (const [, path = '', key = ''] of JSON.stringify(chart).matchAll(REFERENCE)) {
    secrets.set(path, { ...secrets.get(path), [key]: valueOf(path, key) });
  }
  return secrets;
}

const RUN = Math.random().toString(36).slice(2);
const valueOf = (path: string, key: string): string => `${path.split('/').at(-1) ?? ''}-${key}-${RUN}`;

/** The variables of a container that refer to Vault, as its program has to see them. */
export function resolvedVariables(container: Container, chart: readonly KubernetesObject[]): Record<string, string> {
  const objects = (container.envFrom ?? []).map(({ configMapRef, secretRef }) =>
    chart.find(
      ({ kind, metadata }) =>
        (kind === 'ConfigMap' && metadata.name === configMapRef?.name) ||
        (kind === 'Secret' && metadata.name === secretRef?.name),
    ),
  );
  const sourced = objects.flatMap((object) =>
    Object.entries((object?.data ?? object?.stringData ?? {}) as Record<string, string>),
  );
  const literal = (container.env ?? []).map(({ name, value = '' }): [string, string] => [
    name,
    asTheKubeletSets(value),
  ]);
  const referring = [...sourced, ...literal].filter(([, value]) => value.includes('vault:secret'));
  return Object.fromEntries(referring.map(([name, value]) => [name, resolved(value)]));
}

function asTheKubeletSets(value: string): string {
  return value.replaceAll('$$', () => '$').replaceAll('$(POD_NAMESPACE)', 'shop');
}

function resolved(value: string): string {
  const inline = value.replaceAll(/\$\{vault:([^#}]+)#(\w+)\}/g, (_, path: string, key: string) => valueOf(path, key));
  return inline.replace(/^vault:([^#]+)#(\w+)$/, (_, path: string, key: string) => valueOf(path, key));
}
